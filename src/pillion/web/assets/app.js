// Pillion's dashboard. Every page works without this file; it adds fresh numbers, confirmation in place, ticks by
// range, keys, copy, times that tick. The only way from text to elements is `parse`, behind the one Trusted Types
// policy; scripts in it never run.

const html = document.documentElement
const $ = (selector, root = document) => root.querySelector(selector)
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)]
const policy = globalThis.trustedTypes?.createPolicy("pillion", { createHTML: (text) => text })
const parse = (text) => new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "text/html")
const texts = () => JSON.parse($("#texts").textContent)
const main = () => $("#main")
const store = {
  get: (name) => { try { return localStorage.getItem("pillion." + name) } catch { return null } },
  set: (name, value) => { try { localStorage.setItem("pillion." + name, value) } catch { /* private mode */ } },
}
const on = (types, listener) => types.split(" ").forEach((type) => document.addEventListener(type, listener))
html.classList.add("js")

// -- one page becomes the next: what stays the same stays in place, with its focus, ticks and open parts

const keyOf = (node) => (node.nodeType === 1 && (node.id || node.dataset?.key)) || ""

function morph(from, to) {
  for (const { name, value } of [...to.attributes])
    if (!name.startsWith("on") && from.getAttribute(name) !== value) from.setAttribute(name, value)
  for (const { name } of [...from.attributes])
    if (!to.hasAttribute(name) && !(name === "open" && from.localName === "details")) from.removeAttribute(name)
  const keyed = new Map([...from.children].filter(keyOf).map((node) => [keyOf(node), node]))
  let at = from.firstChild
  for (const node of [...to.childNodes]) {
    const key = keyOf(node)
    const same = key ? keyed.get(key) : at && !keyOf(at) && at.nodeName === node.nodeName ? at : null
    if (!same || same.nodeName !== node.nodeName) { from.insertBefore(document.importNode(node, true), at); continue }
    keyed.delete(key)
    if (same === at) at = at.nextSibling
    else from.insertBefore(same, at)
    if (node.nodeType === 1) morph(same, node)
    else if (same.data !== node.data) same.data = node.data
  }
  while (at) { const next = at.nextSibling; at.remove(); at = next }
}

function showMain(fresh) {
  morph(main(), fresh)
  pending = null
  $("#fresh").hidden = true
  afterChange()
}

function showPage(doc, url) {
  for (const dialog of $$("dialog[open]")) dialog.close()
  for (const name of ["lang", "dir", "data-theme", "data-compact"])
    if (doc.documentElement.hasAttribute(name)) html.setAttribute(name, doc.documentElement.getAttribute(name))
    else html.removeAttribute(name)
  for (const box of $$("input[type=checkbox]", main())) box.checked = false
  for (const menu of $$("details.menu[open]")) menu.open = false
  morph(document.body, doc.body)
  if (url !== location.href) history.pushState(null, "", url)
  etag = ""
  start()
}

function afterChange() {
  document.title = main().dataset.title || document.title
  offset = Number(main().dataset.now) * 1000 - Date.now() || 0
  for (const stat of $$("[data-stat]", main())) {
    const count = $(`.rail [data-of="${stat.dataset.stat}"]`)
    if (count) count.textContent = stat.textContent.trim()
  }
  countTicks()
  tickTimes()
  if (store.get("zone")) zone("show")
}

// -- live

let etag = "", pending = null, failures = 0, timer = 0, offset = 0, seen = Date.now(), pressed = false
const every = () => {
  const seconds = Number(store.get("live") ?? 5)
  return seconds > 0 ? Math.max(2, Math.min(seconds, 300)) : 0
}
const isLive = () => every() > 0 && main().dataset.live !== "off"
const rows = (root) => $$("[data-key]", root).map(keyOf)

// The hand is on it: an update would pull something away. Anything else may change in place.
function isHeld() {
  const field = document.activeElement
  return pressed || $("dialog[open], details.menu[open]") || $("input[type=checkbox]:checked", main()) ||
    (main().contains(field) && field.matches("input:not([type=checkbox]), select, textarea")) ||
    (!getSelection().isCollapsed && main().contains(getSelection().anchorNode))
}

function say(state, text) {
  const line = $("#live")
  line.dataset.state = state
  line.hidden = main().dataset.live === "off"
  $(".text", line).textContent = text
  html.classList.toggle("lost", state === "lost")
}

function take(fresh) {
  const old = rows(main()), now = rows(fresh)
  const moves = old.join("\n") !== now.join("\n")
  if (!isHeld() && !(moves && $("tbody:hover", main()))) return showMain(fresh)
  pending = fresh
  const known = new Set(old), added = now.filter((key) => !known.has(key)).length
  $("#fresh button").textContent = added ? texts().added.replace("{n}", added) : texts().changed
  $("#fresh").hidden = false
}

async function poll() {
  clearTimeout(timer)
  if (document.hidden || !isLive()) return
  const url = new URL(location.href)
  url.searchParams.set("fragment", "1")
  url.hash = ""
  const asked = location.href
  try {
    const headers = etag ? { "If-None-Match": etag } : {}
    const reply = await fetch(url, { headers, redirect: "manual", cache: "no-store", signal: AbortSignal.timeout(10000) })
    if (reply.type === "opaqueredirect" || reply.status === 401) return location.reload()
    if (reply.status !== 304 && !reply.ok) throw new Error(String(reply.status))
    const fresh = reply.status === 304 ? null : $("main", parse(await reply.text()))
    if (asked !== location.href) return next()
    failures = 0
    seen = Date.now() + offset
    if (fresh) etag = reply.headers.get("ETag") || ""
    if (fresh ?? pending) take(fresh ?? pending)
    say(pending ? "held" : "on", pending ? texts().held : "")
  } catch {
    failures += 1
    say("lost", texts().lost.replace("{at}", new Date(seen).toISOString().slice(11, 19)).replace("{n}", failures))
  }
  next()
}

function next() {
  clearTimeout(timer)
  if (!isLive()) return say("off", "")
  const pause = Math.min(60, every() * 2 ** Math.min(failures, 5))
  timer = setTimeout(poll, pause * 1000 * (failures ? 0.5 + Math.random() : 0.95 + Math.random() * 0.1))
}

// -- times that tick: the same words as formats.py writes

const UNITS = [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]]

function ago(at, words) {
  const distance = (Date.now() + offset) / 1000 - at
  if (Math.abs(distance) < 1) return words.now
  const whole = Math.floor(Math.abs(distance))
  const [name, size] = UNITS.find(([, unit]) => whole >= unit)
  const length = words.units[name].replace("{n}", Math.floor(whole / size))
  return (distance > 0 ? words.ago : words.in).replace("{t}", length)
}

function tickTimes() {
  const words = texts()
  for (const time of $$("time[data-at]")) {
    const text = ago(time.dataset.at, words)
    if (time.textContent !== text) time.textContent = text
  }
}

const zone = (what) => import($("#zone").dataset.module).then((it) => it[what](store))

// -- ticks

let lastTick = null
const boxes = () => $$("tbody input[type=checkbox]", main())

function countTicks() {
  const all = boxes(), ticked = all.filter((box) => box.checked)
  for (const box of all) box.closest("tr").classList.toggle("on", box.checked)
  for (const box of $$("input[data-all]", main())) {
    box.checked = all.length > 0 && ticked.length === all.length
    box.indeterminate = ticked.length > 0 && ticked.length < all.length
  }
  for (const button of $$("[data-needs-tick]", main())) button.disabled = !ticked.length
  for (const line of $$("[data-ticked]", main()))
    line.textContent = (ticked.length ? texts().ticked : texts().unticked).replace("{n}", ticked.length)
}

on("click", (event) => {
  const box = event.target.closest?.("#main input[type=checkbox]")
  if (!box) return
  const all = boxes()
  if (box.dataset.all !== undefined) for (const each of all) each.checked = box.checked
  else if (event.shiftKey && all.includes(lastTick)) {
    const ends = [all.indexOf(lastTick), all.indexOf(box)]
    for (const each of all.slice(Math.min(...ends), Math.max(...ends) + 1)) each.checked = box.checked
  }
  if (box.dataset.all === undefined) lastTick = box
  countTicks()
})

// -- forms: what asks back opens a dialog, the rest acts in place

async function send(form, button) {
  const asks = (button ?? form).dataset.confirm !== undefined
  const action = button?.getAttribute("formaction") || form.getAttribute("action")
  const reply = await fetch(action, {
    method: "POST",
    body: new URLSearchParams(new FormData(form, button)),
    headers: asks ? { "X-Pillion-Fragment": "1" } : {},
  })
  const doc = parse(await reply.text()), fresh = $("main", doc)
  if (!fresh) return location.assign(reply.url)
  if (reply.redirected && !asks) return showPage(doc, reply.url)
  if (reply.redirected) return location.assign(reply.url)
  const dialog = $("#ask")
  dialog.replaceChildren(...[...fresh.childNodes].map((node) => document.importNode(node, true)))
  checkWord()
  dialog.showModal()
}

on("submit", (event) => {
  const form = event.target, button = event.submitter
  if (form.getAttribute("method") !== "post" || form.dataset.plain !== undefined) return
  event.preventDefault()
  form.setAttribute("aria-busy", "true")
  send(form, button)
    .catch(() => { form.dataset.plain = ""; form.requestSubmit(button) })
    .finally(() => form.removeAttribute("aria-busy"))
})

function checkWord() {
  const field = $("#ask input[data-word]")
  if (field) $("#ask [data-go]").disabled = field.value.trim() !== field.dataset.word
}
on("input", checkWord)
on("change", (event) => {
  if (event.target.matches("#live select")) {
    store.set("live", event.target.value)
    failures = 0
    say("on", "")
    poll().then(next)
  } else if (event.target.matches("select[data-send]")) event.target.form.requestSubmit()
  else if (event.target.matches("#keys input")) store.set("keys", event.target.checked ? "1" : "0")
})

// -- small things to press

async function copy(button) {
  const text = button.dataset.copy ?? $("code", button.parentElement).textContent
  try { await navigator.clipboard.writeText(text) } catch {
    const field = document.createElement("textarea")
    field.value = text
    button.after(field)
    field.select()
    document.execCommand("copy")
    field.remove()
  }
  $("use", button).setAttribute("href", "#i-done")
  $("#said").textContent = texts().copied
  setTimeout(() => { $("use", button)?.setAttribute("href", "#i-copy"); $("#said").textContent = "" }, 1500)
}

on("click", (event) => {
  const at = (selector) => event.target.closest?.(selector)
  for (const menu of $$("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false
  if (at(".copy")) copy(at(".copy"))
  else if (at("#zone")) zone("turn")
  else if (at("[data-dismiss]")) at(".toast").remove()
  else if (at("#fresh button") && pending) showMain(pending)
  else if (at("[data-close]") && at("dialog")) { event.preventDefault(); at("dialog").close() }
  else if (at("[data-open]")) $(at("[data-open]").dataset.open).showModal()
  else if (event.target.localName === "dialog") event.target.close()
})
on("pointerdown pointerup pointercancel", (event) => { pressed = event.type === "pointerdown" })

// UTC is what is written; the time here is one hover away.
on("pointerover", (event) => {
  const time = event.target.closest?.("time[data-at]")
  if (time && !time.title.includes("·"))
    time.title += " · " + new Date(time.dataset.at * 1000).toLocaleString(html.lang, { timeZoneName: "short" })
})

// A line under the pointer, with the numbers of its moment from the table below the chart.
on("pointermove", (event) => {
  const plot = event.target.closest?.(".chart .plot")
  if (!plot) return
  const chart = plot.closest(".chart"), lines = $$("tbody tr", chart), area = plot.getBoundingClientRect()
  if (!lines.length) return
  const share = Math.min(1, Math.max(0, (event.clientX - area.left) / area.width))
  const bars = chart.dataset.kind === "bars", last = lines.length - 1
  const index = Math.min(last, bars ? Math.floor(share * lines.length) : Math.round(share * last))
  const x = 100 * (bars ? (index + 0.5) / lines.length : index / Math.max(1, last)) + "%"
  for (const [name, value] of [["x1", x], ["x2", x], ["visibility", "visible"]]) $(".cursor", plot).setAttribute(name, value)
  const names = $$("thead th", chart)
  $(".readout", chart).textContent = $$("td", lines[index])
    .map((cell, place) => (place ? names[place].textContent + " " : "") + cell.textContent).join(" · ")
})
on("pointerout", (event) => {
  const plot = event.target.closest?.(".chart .plot")
  if (!plot || plot.contains(event.relatedTarget)) return
  $(".cursor", plot).setAttribute("visibility", "hidden")
  $(".readout", plot.closest(".chart")).textContent = ""
})

// -- keys: to go, to move and to tick; none deletes

let going = 0

function step(by) {
  const all = $$("tbody tr[data-key]", main())
  const now = all.findIndex((row) => row.getAttribute("aria-current") === "true")
  const to = all[Math.max(0, Math.min(all.length - 1, now + by))]
  all[now]?.removeAttribute("aria-current")
  to?.setAttribute("aria-current", "true")
  to?.scrollIntoView({ block: "nearest" })
}

const KEYS = {
  "/": () => $(".find input").focus(),
  "?": () => $("#keys").showModal(),
  j: () => step(1),
  k: () => step(-1),
  x: () => $("tr[aria-current=true] input[type=checkbox]", main())?.click(),
  o: () => $("tr[aria-current=true] a[href]", main())?.click(),
  r: () => ($("[data-act=retry]:not(:disabled)", main()) ?? $("tr[aria-current=true] [data-act=retry]", main()))?.click(),
}

on("keydown", (event) => {
  if (event.key === "Escape") {
    for (const menu of $$("details.menu[open]")) { menu.open = false; $("summary", menu).focus() }
    if (event.target.matches(".find input")) event.target.blur()
    return
  }
  const writes = event.target.matches?.("input:not([type=checkbox]), select, textarea")
  if (writes || event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]") || store.get("keys") === "0") return
  const link = Date.now() - going < 1500 && $$(".rail [data-go]").find((one) => one.dataset.go === event.key)
  going = event.key === "g" ? Date.now() : 0
  if (link) link.click()
  else if (Object.hasOwn(KEYS, event.key)) KEYS[event.key]()
  else return
  event.preventDefault()
})

// -- start

function start() {
  const select = $("#live select"), chosen = String(every())
  if ([...select.options].some((option) => option.value === chosen)) select.value = chosen
  $("#keys input").checked = store.get("keys") !== "0"
  for (const toast of $$(".toast:not([data-stays])")) setTimeout(() => toast.matches(":hover, :focus-within") || toast.remove(), 8000)
  afterChange()
  say(isLive() ? "on" : "off", "")
  next()
}

on("visibilitychange", () => (document.hidden ? clearTimeout(timer) : poll()))
addEventListener("popstate", () => location.reload())
setInterval(tickTimes, 1000)
start()
