const socket = io();

const form = document.getElementById("form");
const input = document.getElementById("input");
const messages = document.getElementById("messages");

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!input.value) return;
  socket.emit("chat message", input.value);
  input.value = "";
});

function show(text) {
  const item = document.createElement("li");
  item.textContent = text;
  messages.append(item);
  item.scrollIntoView({ block: "end" });
}

socket.on("message-sent", show);
socket.on("chat message", show);
