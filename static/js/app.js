// The only entry point: every module listens on the document, so fragments need no set-up of their own.
import "./shell.js";
import "./session.js";
import "./dialog.js";
import "./detail.js";
import "./select.js";
import "./actions.js";
import "./hotkeys.js";
import "./palette.js";
import "./poll.js";
import "./waybill-grid.js";
import "./columns.js";
import "./dates.js";
import "./countdown.js";
import "./guard.js";
