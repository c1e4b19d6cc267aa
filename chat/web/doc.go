// Package web holds what a browser loads from the chat: the Socket.IO client script.
//
// The script is written for this project in plain JavaScript, without a build step. The files under client are parts of one
// script, in one scope; [Client] hands it out as a classic script, which defines the global io, and as an ES module.
package web
