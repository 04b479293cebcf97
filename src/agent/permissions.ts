import type { RequestPermissionRequest, RequestPermissionResponse } from "@agentclientprotocol/sdk"

/** What we would rather answer, best first. */
const preference = ["allow_once", "allow_always", "reject_once", "reject_always"] as const

export interface PermissionAnswer {
  readonly response: RequestPermissionResponse
  /** For people: the kind that was chosen. */
  readonly answer: string
}

/**
 * The sandbox is the boundary, so what an agent asks leave for in its turn is granted, once rather than for ever.
 * Chosen by kind: the ids differ between agents, and two options may share a kind. Outside of a turn, and in one
 * that was cancelled, it is told so, as ACP asks.
 */
export const answerPermission = (
  options: RequestPermissionRequest["options"],
  inTurn: boolean
): PermissionAnswer => {
  for (const kind of inTurn ? preference : []) {
    const option = options.find((candidate) => candidate.kind === kind)
    if (option !== undefined)
      return { response: { outcome: { outcome: "selected", optionId: option.optionId } }, answer: kind }
  }
  return { response: { outcome: { outcome: "cancelled" } }, answer: "cancelled" }
}
