// Forms with data-guard: leaving with input that was not saved asks first, and so does saving after the session ended.
// File fields say in Korean what was chosen.
import { $, $$, csrf, on } from "./dom.js";
import { askLogin } from "./session.js";

const dirty = () => $$("form[data-guard].dirty").some((form) => form.isConnected);

on("input", ({ target }) => {
  const form = target.closest?.("form[data-guard]");
  if (!form || form.classList.contains("dirty")) return;
  form.classList.add("dirty");
  const note = $(".dirty-note", form);
  if (note) note.hidden = false;
});

// A plain post would trade the page for the log-in and lose what was typed: whether we are still logged in is asked first.
on("submit", async (event) => {
  const { target: form, submitter } = event;
  const url = $(".sidebar")?.dataset.countsUrl;
  if (!url || form.dataset.asked === "yes" || !form.matches("[data-guard][method=post]:not([hx-post])")) return form.classList.remove("dirty");
  event.preventDefault();
  if (form.dataset.asked) return;
  form.dataset.asked = "asking";
  const answer = await fetch(url, { headers: { "HX-Request": "true" } }).catch(() => null);
  if (answer?.status === 401) {
    delete form.dataset.asked;
    return askLogin();
  }
  // A log-in in another tab has made a new token.
  if (form.elements.csrfmiddlewaretoken) form.elements.csrfmiddlewaretoken.value = csrf();
  form.dataset.asked = "yes";
  form.requestSubmit(submitter);
  delete form.dataset.asked;
});
addEventListener("beforeunload", (event) => {
  if (dirty()) event.preventDefault();
});

on("change", ({ target }) => {
  const name = target.type === "file" && $("[data-file-name]", target.parentElement);
  if (name) name.textContent = [...target.files].map((file) => file.name).join(", ") || "선택한 파일이 없습니다.";
});
