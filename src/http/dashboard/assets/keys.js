// Everything by keyboard; `?` lists the keys.
;(() => {
  const help = document.getElementById("keys")
  const stops = () => [...document.querySelectorAll("main [data-stop], main a.id")]

  const move = (by) => {
    const all = stops()
    if (all.length === 0) return
    const at = all.indexOf(document.activeElement)
    const next = at === -1 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1)
    all[next].focus()
    all[next].scrollIntoView({ block: "nearest" })
  }

  const focusOn = (selector) => {
    const element = document.querySelector(selector)
    if (element === null) return
    const details = element.closest("details")
    if (details !== null) details.open = true
    element.focus()
  }

  const keys = {
    "?": () => help.showModal(),
    j: () => move(1),
    k: () => move(-1),
    a: () => focusOn("textarea[data-enter-sends]"),
    n: () => focusOn("#new-title"),
    "/": () => focusOn("#filter"),
    r: () => document.body.dispatchEvent(new CustomEvent("refreshed")),
    h: () => location.assign("/"),
    i: () => location.assign("/issues"),
    e: () => document.querySelector("[data-last-error]")?.click(),
    G: () => document.querySelector("[data-follow]")?.dispatchEvent(new CustomEvent("follow"))
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
    const { target } = event
    if (target instanceof HTMLElement && target.matches("input, textarea, select")) {
      if (event.key === "Escape") target.blur()
      return
    }
    if (help.open || keys[event.key] === undefined) return
    event.preventDefault()
    keys[event.key]()
  })
})()
