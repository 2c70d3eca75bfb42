// The only entry point of pages without a menu (log-in, invitation): every module listens on the document.
import "./shell.js";
import "./session.js";
import "./dialog.js";
import { $, on } from "./dom.js";

// What few pages show is fetched when a page first does.
const LATER = {
  "[data-guard], [data-file-name]": () => import("./guard.js"),
  "[data-countdown], [data-deadline]": () => import("./countdown.js"),
  '[data-freeze]:not([data-freeze="0"], [data-freeze="1"])': () => import("./frozen.js"),
};
const fetchShown = () => Object.entries(LATER).forEach(([shown, load]) => $(shown) && load());
on("htmx:afterSwap", fetchShown);
fetchShown();
