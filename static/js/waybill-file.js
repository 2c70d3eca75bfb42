// The courier's file of single rows; fetched when somebody asks for one.
import { csrf } from "./dom.js";

// The ids are posted, because an address cannot hold two thousand of them.
export function download(link, rows) {
  const form = Object.assign(document.createElement("form"), { method: "post", action: link.pathname });
  const fields = { csrfmiddlewaretoken: csrf(), ids: rows.replaceAll(/:\d+/g, "") };
  for (const [name, value] of Object.entries(fields)) form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  document.body.append(form);
  form.submit();
}
