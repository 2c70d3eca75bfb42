// The only entry point of pages with a menu: fragments need no set-up of their own. Lists with waybill inputs bring
// waybill-grid.js themselves; the palette is fetched when somebody opens it.
import "./bare.js";
import "./detail.js";
import "./select.js";
import "./actions.js";
import "./hotkeys.js";
import "./poll.js";
import "./dates.js";
