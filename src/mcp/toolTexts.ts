/** What agents read about the tools: what each does, when to call it, and what to do afterwards. */
export const TOOL_TEXTS = {
  mark_done: {
    title: "Mark the issue done",
    description:
      "Tells symphony that the work on your issue is finished, and hands your commits over for review. " +
      "Call it once, when everything is committed and checked; nothing else counts as done. " +
      "End your turn afterwards and change nothing more. Calling it again gets the same answer."
  },
  request_human_steering: {
    title: "Ask a person",
    description:
      "Asks a person a question that you cannot answer yourself: a choice that is theirs to make, an access or " +
      "a fact that you lack. Call it only when you cannot go on without the answer, with one question at a time. " +
      "End your turn afterwards: the answer comes as your next prompt."
  },
  transition: {
    title: "Move the issue to another state",
    description:
      "Hands your issue on to another state of the workflow, with notes for whoever takes it up there. " +
      "Call it once, when your part is finished and committed. The notes are appended to the issue. " +
      "End your turn afterwards and change nothing more."
  },
  propose_issue: {
    title: "Propose a new issue",
    description:
      "Files a proposal for work that you noticed but that is not part of your issue. A person decides whether " +
      "it is worked on; it never starts by itself. Call it instead of widening your own change, then go on with " +
      "your own issue."
  }
} as const

export type ToolName = keyof typeof TOOL_TEXTS
