// Keeps the page true: refreshes its regions on every change, by polling when the stream of changes is cut,
// and says since when it is not live when neither works.
;(() => {
  const POLL_MS = 2000
  const SILENCE_MS = 12000
  const stale = document.getElementById("stale")
  const hasRegions = document.querySelector("[hx-get]") !== null
  const staleText = document.getElementById("stale-text")
  let evidence = Date.now()
  let source = null
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

  const disconnect = () => {
    source?.close()
    source = null
    streaming = false
  }

  // Where there are regions, what they show is only as true as the last answer to them.
  const heard = () => {
    streaming = true
    if (!broken) alive()
  }

  const connect = () => {
    disconnect()
    source = new EventSource("/api/v1/events")
    source.addEventListener("alive", heard)
    source.addEventListener("refreshed", () => {
      heard()
      refresh()
    })
    source.addEventListener("error", () => {
      const was = streaming
      disconnect()
      if (was) refresh()
      if (!hasRegions) lost()
    })
  }

  // Pages that nobody looks at ask for nothing, and leave their connection to those that somebody does.
  document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()))

  setInterval(() => {
    if (document.hidden) return
    if (streaming && Date.now() - evidence < SILENCE_MS) return
    refresh()
    connect()
  }, POLL_MS)

  // Symphony answers, and what the page shows is no more: that is no cut line. The answer says why.
  const gone = (region, answer) => {
    const why = new DOMParser().parseFromString(answer, "text/html").querySelector("main p")
    const said = document.createElement("p")
    said.className = "error banner"
    said.setAttribute("role", "alert")
    said.textContent = `What this page showed is no longer there. ${why?.textContent ?? ""}`
    region.replaceWith(said)
    broken = false
    alive()
  }

  document.body.addEventListener("htmx:afterRequest", ({ detail: { elt, successful, xhr } }) => {
    if (xhr.status === 401) location.reload()
    if (elt instanceof HTMLFormElement) return
    if (xhr.status === 404) return gone(elt, xhr.responseText)
    broken = !successful
    if (broken) lost()
    else alive()
  })

  // The tab says how many wait, as the page does.
  const queue = document.getElementById("attention")
  document.body.addEventListener("htmx:afterSwap", () => {
    if (queue === null) return
    const waiting = queue.querySelectorAll(".ask").length
    document.title = waiting === 0 ? "symphony" : `(${waiting}) symphony`
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

  connect()
})()
