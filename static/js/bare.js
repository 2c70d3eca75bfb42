// The only entry point of pages without a menu (log-in, invitation): every module listens on the document.
import "./shell.js";
import "./session.js";
import "./dialog.js";
import "./guard.js";
