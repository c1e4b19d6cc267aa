import io, { connect, Manager, Socket } from "/socket.io/socket.io.esm.min.js";

window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
Object.assign(window, { io, connect, Manager, Socket });
