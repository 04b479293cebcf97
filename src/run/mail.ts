import { Deferred, Effect, Queue } from "effect"
import type { CancelReason } from "../domain/Outcome.ts"
import type { QuestionId } from "../domain/ids.ts"
import type { DoneClaim } from "../scheduler/events.ts"
import type { RunMessage } from "../scheduler/Runs.ts"
import type { Steering } from "../scheduler/state.ts"

/** What the scheduler has told a run. Each of the first two happens once and is seen whenever one looks. */
export interface Mail {
  readonly cancelled: Deferred.Deferred<CancelReason>
  readonly done: Deferred.Deferred<DoneClaim>
  /** Questions that were accepted; the turn is to end. */
  readonly questions: Queue.Queue<QuestionId>
  readonly replies: Queue.Queue<Steering>
}

export const makeMail: Effect.Effect<Mail> = Effect.gen(function* () {
  return {
    cancelled: yield* Deferred.make<CancelReason>(),
    done: yield* Deferred.make<DoneClaim>(),
    questions: yield* Queue.unbounded<QuestionId>(),
    replies: yield* Queue.unbounded<Steering>()
  }
})

export const deliver = (mail: Mail, message: RunMessage): Effect.Effect<void> => {
  switch (message._tag) {
    case "Cancel":
      return Effect.asVoid(Deferred.succeed(mail.cancelled, message.reason))
    case "DoneAccepted":
      return Effect.asVoid(Deferred.succeed(mail.done, message.claim))
    case "QuestionAccepted":
      return Effect.asVoid(Queue.offer(mail.questions, message.question))
    case "Reply":
      return Effect.asVoid(Queue.offer(mail.replies, message.steering))
  }
}
