// What a page does beyond being read: every page works without it. It keeps itself up to date, asks for quotes while
// one types, counts down, and says so. Quotes and refreshes are the pages themselves, asked for again.
"use strict";
const LIVE = { headers: { "X-Live": "1" }, credentials: "same-origin" };
document.documentElement.classList.add("scripted");

// The portal's clock need not be this machine's: it can be moved.
const now = () => Date.now() + ahead;
const aheadIn = (page) => (Date.parse(page.body.dataset.now) || Date.now()) - Date.now();
let ahead = aheadIn(document);

async function fetched(url) {
  const answer = await fetch(url, LIVE);
  if (answer.status === 401) { location.reload(); return null; }
  if (answer.redirected || !(answer.headers.get("content-type") || "").startsWith("text/html")) return null;
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// Puts a part of the fresh page in the place of the old one; what is open stays open, and focus where it was.
function put(old, fresh) {
  const open = new Set([...old.querySelectorAll("details[open][id]")].map((each) => each.id));
  const shut = new Set([...old.querySelectorAll("details:not([open])[id]")].map((each) => each.id));
  const marked = document.importNode(fresh, true);
  for (const each of marked.querySelectorAll("details[id]")) {
    if (open.has(each.id)) each.open = true;
    if (shut.has(each.id)) each.open = false;
  }
  if (old.innerHTML === marked.innerHTML) return false;
  const at = [...old.querySelectorAll("a, button, summary, input, select, textarea")].indexOf(document.activeElement);
  old.replaceWith(marked);
  if (at >= 0) {
    const again = marked.querySelectorAll("a, button, summary, input, select, textarea")[at];
    if (again) again.focus({ preventScroll: true });
  }
  return true;
}

function busy(part) { // somebody is typing there
  const focused = document.activeElement;
  return focused && part.contains(focused) && focused.matches("input, select, textarea");
}

function toast(text) {
  const place = document.querySelector(".toasts");
  const said = document.createElement("p");
  said.textContent = text;
  place.replaceChildren(said);
  setTimeout(() => said.remove(), 6000);
}

async function refresh() {
  const url = new URL(location.href);
  for (const name of ["at", "done", "from"]) if (name !== "from" || url.pathname.indexOf("payment") < 0) url.searchParams.delete(name);
  const page = await fetched(url).catch(() => null);
  if (!page) return;
  ahead = aheadIn(page);
  countdowns();
  let moved = false;
  const list = document.querySelector("[data-live-list]"), freshList = page.querySelector("[data-live-list]");
  const ids = (of) => of ? [...of.children].map((each) => each.id).join() : "";
  if (list && freshList && ids(list) !== ids(freshList)) moved = put(list, freshList) || moved;
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(part.id);
    if (fresh && !busy(part)) moved = put(part, fresh) || moved;
  }
  if (moved) { toast("This page is up to date: something has just changed."); countdowns(); }
}

const changes = document.body.dataset.changes;
if (changes && (document.querySelector("[data-live]"))) {
  let known = null, later = 0;
  const source = new EventSource(changes);
  source.addEventListener("changed", (event) => {
    if (known !== null && event.data !== known) { clearTimeout(later); later = setTimeout(refresh, 50); }
    known = event.data;
  });
}

// A quote for what the form says, as it is being filled in. Only the newest answer counts.
for (const form of document.querySelectorAll("form[data-quote]")) {
  let waiting = 0, newest = 0;
  const ask = async () => {
    const mine = ++newest, url = new URL(location.pathname, location.href);
    url.search = new URLSearchParams(new FormData(form)).toString();
    const page = await fetched(url).catch(() => null);
    const old = document.getElementById(form.dataset.quote);
    if (mine !== newest || !old) return;
    const fresh = page && page.getElementById(form.dataset.quote);
    if (!fresh) { toast("The price cannot be asked for now. Try again in a moment."); return; }
    put(old, fresh);
    history.replaceState(null, "", url);
  };
  form.addEventListener("input", () => {
    const place = document.getElementById("place");
    if (place) place.disabled = true; // nobody orders what the summary does not show
    document.getElementById(form.dataset.quote).setAttribute("aria-busy", "true");
    newest++;
    clearTimeout(waiting);
    waiting = setTimeout(ask, 200);
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); ask(); });
}

// An order is placed once, however often the button is pressed.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post" || event.defaultPrevented) return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});
// What takes its time says so.
document.addEventListener("submit", (event) => {
  const part = document.getElementById(event.target.dataset.waits || "");
  if (!part) return;
  part.setAttribute("aria-busy", "true");
  part.querySelector(".working").hidden = false;
});
addEventListener("pageshow", (event) => { if (event.persisted && document.querySelector("[data-waits]")) location.reload(); });
addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));

function countdowns() {
  for (const each of document.querySelectorAll("[data-until]")) {
    const minutes = Math.max(0, Math.round((Date.parse(each.dataset.until) - now()) / 60000));
    each.textContent = minutes > 90 ? `About ${Math.round(minutes / 60)} hours left.` : `${minutes} minutes left.`;
  }
}
countdowns();
setInterval(countdowns, 30000);

// A slider over the days an account has had; it sets the date field, and shows the page when it is let go.
for (const form of document.querySelectorAll("form[data-days]")) {
  const field = form.querySelector("input[type=date]");
  const day = (text) => Date.parse(text + "T00:00Z") / 86400000;
  const slider = document.createElement("input");
  Object.assign(slider, { type: "range", min: day(field.min), max: day(field.max), value: day(field.value), step: 1 });
  slider.setAttribute("aria-label", "The day this page is of");
  const told = () => slider.setAttribute("aria-valuetext", field.value);
  slider.addEventListener("input", () => { field.value = new Date(slider.value * 86400000).toISOString().slice(0, 10); told(); });
  let waiting = 0; // with the arrow keys every step is a change
  slider.addEventListener("change", () => { clearTimeout(waiting); waiting = setTimeout(() => form.requestSubmit(), 400); });
  field.addEventListener("input", () => { if (field.value) { slider.value = day(field.value); told(); } });
  told();
  form.append(slider);
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

// Menus close when one looks elsewhere, and with Escape.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) { menu.open = false; menu.querySelector("summary").focus(); }
});
