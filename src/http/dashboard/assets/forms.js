// Forms: nothing typed is lost, Enter sends, and what went wrong is said where one looks.
;(() => {
  const notice = (text, isError) => {
    const element = document.getElementById("notice")
    if (element === null) return
    element.textContent = text
    element.classList.toggle("error", isError)
  }

  const isField = (node) => node instanceof HTMLElement && node.matches("textarea, input, select")
  const isTouched = (field) =>
    field.type === "hidden" ? false : field === document.activeElement || field.dataset.touched === "true"

  // A refresh leaves alone what somebody types into or has opened.
  Object.assign(Idiomorph.defaults.callbacks, {
    beforeNodeMorphed: (node) => !(isField(node) && isTouched(node)),
    beforeAttributeUpdated: (name, node) => !(name === "open" && node instanceof HTMLDetailsElement)
  })

  const restoreDrafts = () => {
    for (const field of document.querySelectorAll("textarea[id]")) {
      const draft = sessionStorage.getItem(`draft:${field.id}`)
      if (draft !== null && field.value === "") {
        field.value = draft
        field.dataset.touched = "true"
      }
    }
  }

  document.addEventListener("input", ({ target }) => {
    if (!isField(target)) return
    target.dataset.touched = "true"
    if (target instanceof HTMLTextAreaElement && target.id !== "") {
      sessionStorage.setItem(`draft:${target.id}`, target.value)
    }
  })

  const sent = (form) => {
    for (const field of form.querySelectorAll("textarea, input")) {
      sessionStorage.removeItem(`draft:${field.id}`)
      delete field.dataset.touched
    }
  }

  document.addEventListener("keydown", (event) => {
    const { target } = event
    if (!(target instanceof HTMLTextAreaElement) || !("enterSends" in target.dataset)) return
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
    event.preventDefault()
    target.form.requestSubmit()
  })

  // Said by the answer to a form that was taken, before the page is refreshed with it.
  document.body.addEventListener("accepted", ({ target }) => {
    if (!(target instanceof HTMLFormElement)) return
    sent(target)
    target.reset()
    notice("", false)
  })

  document.body.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (detail.elt instanceof HTMLFormElement && !detail.successful)
      notice(messageOf(detail.xhr.responseText), true)
  })

  document.body.addEventListener("htmx:afterSwap", restoreDrafts)

  const messageOf = (text) => {
    try {
      return JSON.parse(text).error.message
    } catch {
      return "Symphony does not answer. What you typed is still here."
    }
  }

  const valueOf = (field) => {
    const text = field.value.trim()
    if (text === "") return undefined
    if (field.dataset.type === "integer") return Number(text)
    if (field.dataset.type === "list")
      return text
        .split(",")
        .map((part) => part.trim())
        .filter(Boolean)
    return text
  }

  // Forms that say so are sent to the API as JSON.
  document.addEventListener("submit", async (event) => {
    const form = event.target
    if (!("json" in form.dataset)) return
    event.preventDefault()
    const body = {}
    for (const field of form.elements) {
      if (field.name !== "" && isField(field)) body[field.name] = valueOf(field)
    }
    try {
      const response = await fetch(form.dataset.json, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body)
      })
      const text = await response.text()
      if (!response.ok) return notice(messageOf(text), true)
      sent(form)
      form.reset()
      notice(`Filed as ${JSON.parse(text).identifier}.`, false)
      document.body.dispatchEvent(new CustomEvent("refreshed"))
    } catch {
      notice("Symphony does not answer. What you typed is still here.", true)
    }
  })

  restoreDrafts()
})()
