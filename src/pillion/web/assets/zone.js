// Times of day are written in UTC; here they become those of the browser's zone, and back.

const iso = (at) => new Date(at - new Date(at).getTimezoneOffset() * 60000).toISOString().replace("T", " ")

// As long as the text in UTC: hours and minutes, with seconds, or with the date where it is not today.
function local(at, length, zone) {
  const text = iso(at)
  if (length < 6) return text.slice(11, 16)
  if (length > 12) return text.slice(0, 19) + " " + zone
  return text.slice(0, 10) === iso(Date.now()).slice(0, 10) ? text.slice(11, 19) : text.slice(5, 16)
}

export function turn(store) {
  store.set("zone", store.get("zone") === "local" ? "utc" : "local")
  show(store)
}

export function show(store) {
  const isLocal = store.get("zone") === "local"
  const zone = new Date().toLocaleTimeString("en", { timeZoneName: "short" }).split(" ").pop()
  document.getElementById("zone").setAttribute("aria-pressed", isLocal)
  for (const one of document.querySelectorAll("[data-utc], [data-zone]")) {
    const utc = (one.dataset.text ??= one.textContent)
    if (!isLocal) one.textContent = utc
    else one.textContent = one.dataset.utc ? local(one.dataset.utc * 1000, utc.length, zone) : utc.replace("UTC", zone)
  }
}
