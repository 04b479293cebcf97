// A transcript that is being written: follows its end until one scrolls up. From then on nothing moves, and the
// page says when there is more below.
;(() => {
  const pill = document.getElementById("pill")
  if (pill === null) return
  const NEAR = 80
  const atEnd = () => window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - NEAR
  const total = (id) => Number(document.getElementById(id)?.dataset.total ?? 0)
  /** More was recorded than is shown. */
  const isBehind = () => total("run-total") > total("run")
  const show = () => (pill.hidden = follow || !isBehind())

  // Who came for one entry reads that.
  let follow = window.location.hash === ""
  let height = window.scrollY
  const toEnd = () => {
    window.scrollTo(0, document.documentElement.scrollHeight)
    height = window.scrollY
  }
  const resume = () => {
    follow = true
    show()
    toEnd()
    if (isBehind()) document.getElementById("run")?.dispatchEvent(new CustomEvent("wanted"))
  }
  // Growing moves the end away without anybody scrolling: only going up lets go.
  const look = () => {
    const up = window.scrollY < height
    height = window.scrollY
    if (!atEnd()) follow = follow && !up
    else if (!follow) resume()
  }

  window.addEventListener("scroll", look)
  pill.addEventListener("click", resume)
  // What is read stays, whatever was under way.
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.id !== "run") return
    look()
    if (!follow) event.preventDefault()
  })
  document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (detail.target.id !== "run") return
    look()
    if (!follow) detail.shouldSwap = false
  })
  document.body.addEventListener("htmx:afterSettle", ({ detail }) => {
    if (detail.target.id === "run" && follow) toEnd()
    show()
  })
  if (follow) toEnd()
})()
