import { joinedLines, printableLine } from "../domain/printable.ts"
import type { TranscriptEvent } from "../journal/Transcripts.ts"

/** What happened, in one line for people. */
export const eventLine = (event: TranscriptEvent): string => {
  switch (event._tag) {
    case "Prompt":
    case "Message":
    case "Thought":
    case "Plan":
    case "Stderr":
    case "Notice":
      return printableLine(joinedLines(event.text))
    case "ToolCall":
      return printableLine(`${event.title} (${event.status})`)
    case "ToolUpdate":
      return printableLine(event.text === "" ? event.status : `${event.status}: ${joinedLines(event.text)}`)
    case "Context":
      return `${event.used} of ${event.size} tokens of context in use`
    case "Permission":
      return printableLine(`${event.title}: ${event.answer}`)
    case "Stage":
      return printableLine(event.detail === "" ? event.name : `${event.name}: ${event.detail}`)
  }
}
