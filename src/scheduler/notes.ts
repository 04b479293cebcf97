import type { RunId } from "../domain/ids.ts"
import type { DoneClaim } from "./events.ts"
import type { Hold, Relocation } from "./state.ts"

/** What is written into an issue before it is moved; once for each key. */
export interface IssueNote {
  readonly key: string
  readonly heading: string
  readonly text: string
}

/** What the agent of a run has to say to those that it passes its issue on to. `by`: who it is, for people. */
export const passingNote = (run: RunId, by: string, from: string, claim: DoneClaim): IssueNote => ({
  key: `notes-${run}`,
  heading: `${by}: ${from} to ${claim.target}`,
  text: claim.summary
})

/** Why an issue is parked, and what to do about it. */
export const parkingNote = (hold: Hold, { from }: Relocation): IssueNote => ({
  key: `parked-${hold.at}`,
  heading: "Parked by symphony",
  text: `${hold.message}\n\nMove this file back to ${from} to have it tried again.`
})
