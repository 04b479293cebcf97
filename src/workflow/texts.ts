/** Every prompt of a session after the first, unless a person has answered. */
export const continuationPrompt = `The issue is still open: you ended your turn without the mark_done tool.

Look at what is done and what is missing, and go on. Do not start again. When everything is finished and
committed, call the mark_done tool. If you cannot go on without a decision of a person, call the
request_human_steering tool and end your turn.`

export interface HumanReply {
  readonly question: string
  readonly context: string | null
  readonly reply: string
}

const exchange = ({ context, question, reply }: HumanReply): ReadonlyArray<string> => [
  `The question was:\n\n${question.trim()}`,
  ...(context === null || context.trim() === "" ? [] : [`With this context:\n\n${context.trim()}`]),
  `The answer is:\n\n${reply.trim()}`
]

/** The answer of a person. Complete in itself, so that a session that never asked can go on from it. */
export const replyPrompt = (reply: HumanReply): string =>
  [
    "A person has answered a question about this issue.",
    ...exchange(reply),
    `Go on with the issue on that basis. What was done before is in the current folder. When everything is
finished and committed, call the mark_done tool. If you need another decision, call the
request_human_steering tool and end your turn.`
  ].join("\n\n")

/** Added to the first prompt of a session that was not there when a person answered. */
export const answeredNote = (reply: HumanReply): string =>
  [
    "A person has answered a question about this issue before, and the answer stands.",
    ...exchange(reply)
  ].join("\n\n")

export interface Retry {
  /** 1 or more. */
  readonly attempt: number
  /** Why the run before ended, in one line. */
  readonly reason: string
}

/** Added to the first prompt of a run that follows a failed one. */
export const retryNote = ({ attempt, reason }: Retry): string =>
  `This is retry ${attempt}. The run before it failed: ${reason.trim()}

What it left behind is in the current folder: look at it first, keep what is good, and go on from there.`
