import type { RunningCost } from "../domain/Cost.ts"
import type { AgentEvent } from "./AgentSessions.ts"
import type { ReadUpdate } from "./updates.ts"

const MAX_TITLES = 1000
const MAX_REMEMBERED = 2000

export type TurnState = "idle" | "open" | "cancelled"

/** What a session has to remember of its turns and of its agent's updates. */
export interface Observer {
  readonly onUpdate: (update: ReadUpdate) => void
  readonly toolTitle: (id: string) => string | undefined
  /** From now on only what is about this session is taken. */
  readonly attach: (session: string) => void
  /** While an agent replays an old session, its updates are no news. */
  readonly mute: (muted: boolean) => void
  /** `cancelled`: by us, and not yet answered. */
  readonly turnState: () => TurnState
  readonly setTurnState: (state: TurnState) => void
  /** Of the present turn: the end of what the agent said, and whether it called itself broken. */
  readonly turn: () => { readonly said: string; readonly systemError: boolean }
}

export const makeObserver = (
  emit: (event: AgentEvent) => void,
  sawCost: (running: RunningCost) => void
): Observer => {
  const titles = new Map<string, string>()
  let session: string | null = null
  let muted = false
  let state: TurnState = "idle"
  let said = ""
  let systemError = false

  const remember = (id: string, title: string): void => {
    titles.set(id, title)
    const [oldest] = titles.keys()
    if (titles.size > MAX_TITLES && oldest !== undefined) titles.delete(oldest)
  }

  return {
    onUpdate: (update) => {
      if (session !== null && update.session !== null && update.session !== session) return
      if (update.cost !== null) sawCost(update.cost)
      if (muted) return
      systemError ||= update.systemError
      if (update.toolTitle !== null) remember(update.toolTitle.id, update.toolTitle.title)
      if (update.event === null) return
      if (update.event._tag === "Message") said = `${said}${update.event.text}`.slice(-MAX_REMEMBERED)
      emit(update.event)
    },
    toolTitle: (id) => titles.get(id),
    attach: (id) => {
      session = id
    },
    mute: (value) => {
      muted = value
    },
    turnState: () => state,
    setTurnState: (next) => {
      if (next === "open") {
        said = ""
        systemError = false
      }
      state = next
    },
    turn: () => ({ said, systemError })
  }
}
