// Forms: nothing typed is lost, nothing is sent twice, Enter sends, and what came of it is said where one looks.
;(() => {
  const SAID_MS = 8000
  /** An answer that takes longer is waited for in sight. */
  const WAITING_MS = 300
  const box = document.getElementById("notice")
  let fading = 0
  /** Whether the last that was said is that symphony does not answer. */
  let unanswered = false

  /** `where`: what it is about, as a link. An error stays until the next thing is said. */
  const notice = (text, { isError = false, where = null } = {}) => {
    clearTimeout(fading)
    unanswered = false
    box.replaceChildren(text)
    if (where !== null) {
      const link = document.createElement("a")
      link.href = where
      link.textContent = "Look at it"
      box.append(" ", link)
    }
    box.classList.toggle("error", isError)
    if (!isError) fading = setTimeout(() => box.replaceChildren(), SAID_MS)
  }
  document.addEventListener("notice", ({ detail }) => notice(detail))

  const isField = (node) => node instanceof HTMLElement && node.matches("textarea, input, select")
  const isTouched = (field) =>
    field.type === "hidden" ? false : field === document.activeElement || field.dataset.touched === "true"
  const DRAFTS = "textarea[id], .stack input[id]:not([type=hidden]), .stack select[id]"
  const isDraft = (field) => field.matches(DRAFTS)

  const fieldsIn = (node) =>
    node instanceof Element
      ? [...(isField(node) ? [node] : []), ...node.querySelectorAll("textarea, input")]
      : []

  const typedInto = (form) => [...form.elements].filter((field) => isField(field) && field.type !== "hidden")

  const problemOf = (field) => document.getElementById(`${field.id}-problem`)

  /** Says what is wrong with a field below it; the same markup as of a page that comes back without script. */
  const refuse = (field, message) => {
    const said = problemOf(field) ?? document.createElement("p")
    said.id = `${field.id}-problem`
    said.className = "error problem"
    said.textContent = message
    field.setAttribute("aria-invalid", "true")
    field.setAttribute("aria-describedby", said.id)
    if (!said.isConnected) field.parentElement.append(said)
    field.focus()
  }
  const forgive = (field) => {
    problemOf(field)?.remove()
    field.removeAttribute("aria-invalid")
    field.removeAttribute("aria-describedby")
  }

  /** What was refused, where one looks and at its field: the one that is named, or the only one there is. */
  const refused = (form, { field: name, message }) => {
    notice(message, { isError: true })
    const fields = typedInto(form)
    const field = fields.find((one) => one.name === name) ?? (fields.length === 1 ? fields[0] : undefined)
    if (field !== undefined) refuse(field, message)
  }

  /** What nobody answered is no fault of a field, and is told no longer than it is true. */
  const notAnswered = (form) => {
    const isTyped = typedInto(form).some((field) => field.matches("textarea, input") && field.value !== "")
    notice(`Symphony does not answer.${isTyped ? " What you typed is still here." : ""}`, { isError: true })
    unanswered = true
  }

  // Forms on their way: none is sent again, changed or taken away before it is answered.
  const sending = new WeakMap()

  const begin = (form, submitter) => {
    const button = submitter ?? form.querySelector("[type=submit]")
    const waiting = setTimeout(() => button?.setAttribute("aria-busy", "true"), WAITING_MS)
    const end = () => {
      clearTimeout(waiting)
      button?.removeAttribute("aria-busy")
      sending.delete(form)
    }
    sending.set(form, end)
  }
  const end = (form) => sending.get(form)?.()

  const isSent = (node) =>
    node instanceof Element && [...document.forms].some((form) => node.contains(form) && sending.has(form))

  /** What it shows is no more: it can be read, and not be sent. */
  const close = (form) => {
    form.dataset.closed = ""
    for (const button of form.querySelectorAll("button")) button.disabled = true
  }
  document.addEventListener("closed", ({ target }) => close(target))

  /** What surrounds a field and goes with it: all of its question, else its form. */
  const boxOf = (field, node) => [field.closest(".ask"), field.form].find((box) => node.contains(box))

  /**
   * Words whose box goes, because what it was for is no longer asked, are kept beside the region that shows what is.
   * True: the node stays.
   */
  const keep = (node) => {
    const words = fieldsIn(node).filter(
      (field) => field.dataset.touched === "true" && field.value.trim() !== ""
    )
    for (const field of words) {
      const box = boxOf(field, node)
      if (box === undefined) return true
      const focused = document.activeElement
      const said = document.createElement("p")
      said.className = "error meanwhile"
      said.textContent =
        "This was answered or withdrawn meanwhile. What you typed is kept here until you leave."
      box.append(said)
      box.classList.add("kept")
      close(field.form)
      delete field.dataset.key
      delete field.dataset.enterSends
      node.closest("[hx-get]").before(box)
      if (box.contains(focused)) focused.focus()
    }
    return words.some((field) => field.closest(".kept") === node)
  }

  /** What is asked again has its box, and the draft in it. */
  const giveBack = () => {
    for (const box of document.querySelectorAll(".kept")) {
      const [field] = fieldsIn(box).filter(isDraft)
      const [other] = [...document.querySelectorAll(DRAFTS)].filter(
        (one) => one.id === field.id && one !== field
      )
      if (other === undefined) continue
      const isFocused = box.contains(document.activeElement)
      box.remove()
      if (isFocused) other.focus()
    }
  }

  const isProblem = (node) => node instanceof Element && node.matches(".problem")

  // A refresh leaves alone what somebody types into or has opened, and what is said to be wrong with it.
  Object.assign(Idiomorph.defaults.callbacks, {
    beforeNodeMorphed: (node) => !(isField(node) && isTouched(node)) && !sending.has(node),
    beforeNodeRemoved: (node) => !isProblem(node) && !isSent(node) && !keep(node),
    beforeAttributeUpdated: (name, node) =>
      !(name === "open" && node instanceof HTMLDetailsElement) &&
      !(name.startsWith("aria-") && isField(node) && problemOf(node) !== null)
  })

  const restoreDrafts = () => {
    for (const field of document.querySelectorAll(DRAFTS)) {
      const draft = sessionStorage.getItem(`draft:${field.id}`)
      if (draft === null || draft === "" || isTouched(field)) continue
      if (field.value !== "" && !(field instanceof HTMLSelectElement)) continue
      field.value = draft
      field.dataset.touched = "true"
      const around = field.closest("details")
      if (around !== null) around.open = true
    }
  }

  document.addEventListener("input", ({ target }) => {
    if (!isField(target)) return
    target.dataset.touched = "true"
    forgive(target)
    if (isDraft(target)) sessionStorage.setItem(`draft:${target.id}`, target.value)
  })

  /** What was typed has arrived. */
  const sent = (form) => {
    for (const field of typedInto(form)) {
      sessionStorage.removeItem(`draft:${field.id}`)
      delete field.dataset.touched
      forgive(field)
      if ("defaultValue" in field) field.defaultValue = ""
    }
    form.reset()
    form.dispatchEvent(new CustomEvent("sent"))
  }

  document.addEventListener("keydown", (event) => {
    const { target } = event
    if (!(target instanceof HTMLTextAreaElement) || !("enterSends" in target.dataset)) return
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
    event.preventDefault()
    target.form.requestSubmit()
  })

  // The second click of two is meant for what the first one pressed, not for what has taken its place.
  const once = (event) => {
    if (event.detail < 2 || !(event.target instanceof Element)) return
    if (event.target.closest("button, a.button") === null) return
    event.preventDefault()
    event.stopImmediatePropagation()
  }
  document.addEventListener("click", once, { capture: true })

  // Before anybody else hears of it. Forms that load another page are the browser's.
  const admit = (event) => {
    const { submitter, target: form } = event
    if (!form.matches("[hx-post], [data-json]")) return
    if (!sending.has(form) && !("closed" in form.dataset)) return begin(form, submitter)
    event.preventDefault()
    event.stopImmediatePropagation()
  }
  document.addEventListener("submit", admit, { capture: true })

  // Said by the answer to a form that was taken, before the page is refreshed with it.
  document.body.addEventListener("accepted", ({ target }) => {
    if (!(target instanceof HTMLFormElement)) return
    sent(target)
    notice(target.dataset.done ?? "Done.")
  })

  // The answer may bring what takes the place of its form.
  document.body.addEventListener("htmx:beforeSwap", ({ detail }) => end(detail.requestConfig.elt))
  document.body.addEventListener("htmx:afterRequest", ({ detail: { elt, successful, xhr } }) => {
    if (successful && unanswered) notice("Symphony answers again. What was not answered can be sent again.")
    if (!(elt instanceof HTMLFormElement)) return
    end(elt)
    if (xhr.status === 0) notAnswered(elt)
    else if (xhr.status >= 400) refused(elt, errorOf(xhr.status, xhr.responseText))
  })

  document.body.addEventListener("htmx:afterSwap", () => {
    restoreDrafts()
    giveBack()
  })

  const errorOf = (status, text) => {
    try {
      const { field, message } = JSON.parse(text).error
      return { field, message }
    } catch {
      return { message: `Symphony could not take this (status ${status}).` }
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
      if (!response.ok) return refused(form, errorOf(response.status, text))
      const { identifier } = JSON.parse(text)
      sent(form)
      notice(`Filed as ${identifier}.`, { where: `/issues/${encodeURIComponent(identifier)}` })
      document.body.dispatchEvent(new CustomEvent("refreshed"))
    } catch {
      notAnswered(form)
    } finally {
      end(form)
    }
  })

  restoreDrafts()
})()
