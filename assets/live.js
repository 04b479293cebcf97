// Keeps the page true: refreshes its regions on every change, by polling when the stream of changes is cut,
// and says since when it is not live when neither works.
;(() => {
  const POLL_MS = 2000
  const SILENCE_MS = 12000
  const STREAM = "symphony:events"
  const stale = document.getElementById("stale")
  const staleText = document.getElementById("stale-text")
  let evidence = Date.now()
  /** Of the window that has the stream. */
  let source = null
  let leaving = null
  /** Whether the changes arrive, by whichever window. */
  let streaming = false
  let broken = false

  const refresh = () => document.body.dispatchEvent(new CustomEvent("refreshed"))

  const alive = () => {
    evidence = Date.now()
    document.body.classList.remove("not-live")
    stale.hidden = true
  }

  const lost = () => {
    if (!stale.hidden) return
    staleText.textContent = `Not live since ${new Date(evidence).toISOString().slice(11, 19)}Z. Trying again.`
    document.body.classList.add("not-live")
    stale.hidden = false
  }

  // What the regions show is only as true as the last answer to them.
  const hear = (what) => {
    const was = streaming
    streaming = what !== "cut"
    if (streaming && !broken) alive()
    // What changed while nothing was heard is caught up on; at a cut, it shows whether symphony answers at all.
    if (streaming !== was || what === "refreshed") refresh()
  }

  // A browser has but six connections to us: of its windows, the one that has the lock has the stream and tells the
  // others; when it goes, the next takes over. Without locks, which need a safe origin, each has its own.
  const { locks } = navigator
  const windows = locks === undefined ? null : new BroadcastChannel(STREAM)

  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel is of one origin
  const tellOthers = (what) => windows?.postMessage(what)

  const tell = (what) => {
    hear(what)
    tellOthers(what)
  }

  const open = () => {
    source?.close()
    source = new EventSource("/api/v1/events")
    source.addEventListener("alive", () => tell("alive"))
    source.addEventListener("refreshed", () => tell("refreshed"))
    source.addEventListener("error", () => {
      source.close()
      tell("cut")
    })
  }

  /** Has the stream until it leaves. */
  const lead = (left) =>
    new Promise((resolve) => {
      if (left.aborted) return resolve()
      open()
      left.addEventListener("abort", () => {
        source.close()
        source = null
        resolve()
      })
    })

  const join = () => {
    leaving = new AbortController()
    const { signal } = leaving
    if (windows === null) return void lead(signal)
    locks.request(STREAM, { signal }, () => lead(signal)).catch(() => {})
    tellOthers("joined")
  }

  const leave = () => {
    leaving?.abort()
    streaming = false
  }

  windows?.addEventListener("message", ({ data }) => {
    if (document.hidden) return
    if (data !== "joined") return hear(data)
    if (source !== null && streaming) tellOthers("alive")
  })

  // Pages that nobody looks at ask for nothing, and leave the stream to those that somebody does.
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : join()))

  setInterval(() => {
    if (document.hidden) return
    if (streaming && Date.now() - evidence < SILENCE_MS) return
    streaming = false
    refresh()
    if (source !== null) open()
  }, POLL_MS)

  const isTold = (region) => region.previousElementSibling?.matches(".gone") ?? false

  // Symphony answers, and what the page shows is no more: that is no cut line. The answer says why; what is typed there
  // stays to be read.
  const tellGone = (region, answer) => {
    if (isTold(region)) return
    const why = new DOMParser().parseFromString(answer, "text/html").querySelector("main p")
    const said = document.createElement("p")
    said.className = "error banner gone"
    said.setAttribute("role", "alert")
    said.textContent = `What this page showed is no longer there. ${why?.textContent ?? ""}`
    region.before(said)
    for (const form of region.querySelectorAll("form")) {
      form.dispatchEvent(new CustomEvent("closed", { bubbles: true }))
    }
  }

  document.body.addEventListener("htmx:afterRequest", ({ detail: { elt, successful, xhr } }) => {
    if (xhr.status === 401) location.reload()
    // Told again by what is around a node that its own answer took away.
    if (!elt.matches("[hx-get]")) return
    broken = !successful && xhr.status !== 404
    if (broken) return lost()
    alive()
    if (!successful) tellGone(elt, xhr.responseText)
    else if (isTold(elt)) elt.previousElementSibling.remove()
  })

  // The tab says how many wait, as the page does.
  const queue = document.getElementById("attention")
  document.body.addEventListener("htmx:afterSwap", () => {
    if (queue === null) return
    const waiting = queue.querySelector("[data-needing]")?.dataset.needing
    document.title = waiting === undefined ? "symphony" : `(${waiting}) symphony`
  })

  // Ages go on counting between refreshes, by the server's clock.
  const skew = Date.now() - Number(document.body.dataset.now ?? Date.now())
  const words = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds))
    if (whole < 60) return `${whole}s`
    if (whole < 3600) return `${Math.floor(whole / 60)}m`
    if (whole < 86400) {
      return `${Math.floor(whole / 3600)}h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")}m`
    }
    return `${Math.floor(whole / 86400)}d ${Math.floor((whole % 86400) / 3600)}h`
  }
  setInterval(() => {
    for (const time of document.querySelectorAll("time[data-since]")) {
      time.textContent = words((Date.now() - skew - Number(time.dataset.since)) / 1000)
    }
    for (const time of document.querySelectorAll("time[data-until]")) {
      const left = (Number(time.dataset.until) - Date.now() + skew) / 1000
      time.textContent = left <= 0 ? "now" : `in ${words(left)}`
    }
  }, 1000)

  if (!document.hidden) join()
})()
