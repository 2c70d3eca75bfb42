// The only entry point of pages with a menu: fragments need no set-up of their own. Lists with waybill inputs bring
// waybill-grid.js themselves; the palette and what counts down are fetched when a page first has use for them.
import "./bare.js";
import { $, on } from "./dom.js";
import "./detail.js";
import "./select.js";
import "./actions.js";
import "./hotkeys.js";
import "./poll.js";
import "./columns.js";
import "./dates.js";

const countDown = () => $("[data-countdown], [data-deadline]") && import("./countdown.js");
on("htmx:afterSwap", countDown);
countDown();
