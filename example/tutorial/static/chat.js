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

socket.on("chat message", (text) => {
  const item = document.createElement("li");
  item.textContent = text;
  messages.append(item);
  item.scrollIntoView({ block: "end" });
});
