// Comments on lines of a diff, gathered in one form. They are kept in this tab until they are sent.
;(() => {
  const comments = document.getElementById("comments")
  const form = document.getElementById("review")
  if (comments === null || form === null) return
  // Lines of another run are other lines.
  const key = `review:${location.pathname}:${form.elements.run.value}`

  const keep = () => {
    const all = [...comments.children].map((item) => ({
      at: item.querySelector("input").value,
      text: item.querySelector("textarea").value
    }))
    sessionStorage.setItem(key, JSON.stringify(all))
  }

  const add = (at, text) => {
    const item = document.createElement("li")
    const label = document.createElement("label")
    const place = document.createElement("input")
    const field = document.createElement("textarea")
    const remove = document.createElement("button")
    field.id = `comment-${crypto.randomUUID()}`
    field.name = "comment"
    field.rows = 2
    field.value = text
    field.dataset.touched = "true"
    label.htmlFor = field.id
    label.className = "mono"
    label.textContent = at
    place.type = "hidden"
    place.name = "at"
    place.value = at
    remove.type = "button"
    remove.className = "link"
    remove.textContent = "Remove"
    remove.addEventListener("click", () => {
      item.remove()
      keep()
    })
    item.append(label, place, field, remove)
    comments.append(item)
    return field
  }

  for (const { at, text } of JSON.parse(sessionStorage.getItem(key) ?? "[]")) add(at, text)

  document.addEventListener("click", ({ target }) => {
    const button = target instanceof Element ? target.closest(".diff button") : null
    if (button === null) return
    const row = button.closest("tr")
    const { commit } = button.closest("#change").dataset
    const where = [
      `${button.closest("table").dataset.path}:${button.textContent}`,
      ...(row.classList.contains("removed") ? ["(removed)"] : []),
      ...(commit === undefined ? [] : [`in ${commit}`])
    ].join(" ")
    add(`${where} | ${row.querySelector(".code").textContent.slice(0, 200)}`, "").focus()
    keep()
  })
  comments.addEventListener("input", keep)
  // Only what has arrived is forgotten.
  form.addEventListener("sent", () => {
    sessionStorage.removeItem(key)
    comments.replaceChildren()
  })
})()
