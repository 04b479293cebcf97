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

  window.addEventListener("scroll", () => {
    follow = atEnd()
    if (follow) pill.hidden = true
  })
  pill.addEventListener("click", () => {
    follow = true
    toEnd()
  })
  document.addEventListener("follow", toEnd, true)
  document.body.addEventListener("htmx:afterSettle", () => {
    const last = lastId()
    if (follow) toEnd()
    else if (last !== shown) pill.hidden = false
    shown = last
  })
  toEnd()
})()
