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

  const focusOn = (element) => {
    const details = element.closest("details")
    if (details !== null) details.open = true
    element.focus()
  }

  /** The field of that id, on its own page where it is not on this one. */
  const goInto = (id, page) => {
    const field = document.getElementById(id)
    if (field === null) location.assign(`${page}#${id}`)
    else focusOn(field)
  }

  const say = (text) => document.dispatchEvent(new CustomEvent("notice", { detail: text }))

  /** What the list of keys says of one; it knows all that are marked on some page. */
  const entryOf = (key) => help.querySelector(`[data-for="${CSS.escape(key)}"]`)

  const nothingFor = (key) => say(`Nothing here for ${key}: ${entryOf(key).querySelector("dd").textContent}.`)

  const list = () => {
    for (const entry of help.querySelectorAll("[data-needs]")) {
      entry.hidden = document.querySelector(entry.dataset.needs) === null
    }
    help.showModal()
  }

  const keys = {
    "?": list,
    j: () => move(1),
    k: () => move(-1),
    a: () => {
      const question = document.querySelector('[data-key="a"]')
      if (question === null) nothingFor("a")
      else focusOn(question)
    },
    n: () => goInto("new-title", "/"),
    "/": () => goInto("filter", "/issues"),
    r: () => document.body.dispatchEvent(new CustomEvent("refreshed")),
    h: () => location.assign("/"),
    i: () => location.assign("/issues"),
    G: () => window.scrollTo(0, document.documentElement.scrollHeight)
  }

  const rowOf = (element) => element?.closest("li, article") ?? null

  /** What a key stands for: of the page itself, or of the row or card one is at. At none: where there is but one. */
  const meant = (key) => {
    const all = [...document.querySelectorAll(`[data-key="${key}"]`)]
    const row = rowOf(document.activeElement)
    const ofPage = all.filter((element) => rowOf(element) === null)
    return ofPage.length > 0 ? ofPage : row === null ? all : all.filter((element) => row.contains(element))
  }

  const press = (key) => {
    const [found, ...more] = meant(key)
    if (more.length > 0) return say(`${key} could mean several here: go to one with j and k.`)
    if (found === undefined) return nothingFor(key)
    if (found.matches("textarea, select")) found.focus()
    else found.click()
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
    const { target } = event
    if (target instanceof HTMLElement && target.matches("input, textarea, select")) {
      if (event.key === "Escape") target.blur()
      return
    }
    const isMarked = entryOf(event.key)?.dataset.needs?.startsWith("[data-key") ?? false
    if (help.open || (keys[event.key] === undefined && !isMarked)) return
    event.preventDefault()
    if (keys[event.key] === undefined) press(event.key)
    else keys[event.key]()
  })

  if (["#filter", "#new-title"].includes(location.hash)) {
    const field = document.querySelector(location.hash)
    if (field !== null) focusOn(field)
  }
})()
