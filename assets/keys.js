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

  const say = (text) => document.dispatchEvent(new CustomEvent("notice", { detail: text }))

  const filter = () => {
    if (document.getElementById("filter") === null) location.assign("/issues#filter")
    else focusOn("#filter")
  }

  const keys = {
    "?": () => help.showModal(),
    j: () => move(1),
    k: () => move(-1),
    a: () => focusOn("textarea[data-enter-sends]"),
    n: () => focusOn("#new-title"),
    "/": filter,
    r: () => document.body.dispatchEvent(new CustomEvent("refreshed")),
    h: () => location.assign("/"),
    i: () => location.assign("/issues"),
    G: () => document.querySelector("[data-follow]")?.dispatchEvent(new CustomEvent("follow"))
  }

  /** Keys of what stands on the page, and what they would do if it did. */
  const marked = {
    p: "pause or resume",
    s: "stop",
    t: "retry",
    v: "review",
    y: "approve",
    d: "compare",
    c: "comment on",
    e: "have failed"
  }

  /** Of the row or the card one is in, else of the page. */
  const press = (key) => {
    const around = document.activeElement?.closest("li, article")
    const found = [around, document.querySelector("main"), document].flatMap(
      (place) => place?.querySelector(`[data-key="${key}"]`) ?? []
    )[0]
    if (found === undefined) return say(`There is nothing here to ${marked[key]}.`)
    if (found instanceof HTMLTextAreaElement) found.focus()
    else found.click()
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
    const { target } = event
    if (target instanceof HTMLElement && target.matches("input, textarea, select")) {
      if (event.key === "Escape") target.blur()
      return
    }
    if (help.open || (keys[event.key] === undefined && marked[event.key] === undefined)) return
    event.preventDefault()
    if (keys[event.key] === undefined) press(event.key)
    else keys[event.key]()
  })

  if (location.hash === "#filter") focusOn("#filter")
})()
