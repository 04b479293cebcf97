// A transcript that is being written: follows its end until one scrolls up, and says when there is more.
;(() => {
  const pill = document.getElementById("pill")
  if (pill === null) return
  const NEAR = 80
  const atEnd = () => window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - NEAR
  const toEnd = () => window.scrollTo(0, document.documentElement.scrollHeight)
  const lastId = () => document.querySelector("#log > li:last-child")?.id

  let follow = true
  let shown = lastId()

  // Growing moves the end away without anybody scrolling: only going up lets go.
  let height = window.scrollY
  window.addEventListener("scroll", () => {
    if (atEnd()) follow = true
    else if (window.scrollY < height) follow = false
    height = window.scrollY
    if (follow) pill.hidden = true
  })
  pill.addEventListener("click", () => {
    follow = true
    toEnd()
  })
  // What a swap does to the position is not somebody scrolling.
  let followed = follow
  document.body.addEventListener("htmx:beforeSwap", () => {
    followed = follow
  })
  document.body.addEventListener("htmx:afterSettle", () => {
    const last = lastId()
    follow = followed
    if (follow) toEnd()
    else if (last !== shown) pill.hidden = false
    shown = last
  })
  toEnd()
})()
