import { Effect, Schedule, Stream } from "effect"
import { Sse } from "effect/encoding"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { Board } from "../board/Board.ts"
import { Draining } from "./Draining.ts"

/** A burst of changes is one event, at most this often; a lone change is told at once. */
const PACE = "100 millis"
/** Silence for longer than a few of these is a cut line. */
const HEARTBEAT = "5 seconds"

const event = (name: "refreshed" | "alive"): string =>
  Sse.encoder.write({ _tag: "Event", event: name, id: undefined, data: name })

/** `GET /api/v1/events`: says `refreshed` when what people see has changed, and `alive` in between. */
export const eventRoute = HttpRouter.add(
  "GET",
  "/api/v1/events",
  Effect.gen(function* () {
    const board = yield* Board
    const draining = yield* Draining
    const changes = board.changes.pipe(
      Stream.buffer({ capacity: 1, strategy: "sliding" }),
      Stream.schedule(Schedule.spaced(PACE)),
      Stream.map(() => event("refreshed"))
    )
    const beats = Stream.map(Stream.tick(HEARTBEAT), () => event("alive"))
    // Subscribed to changes first: what happens before the first refresh is seen by it, the rest is told.
    const body = Stream.merge(
      changes,
      Stream.concat(Stream.make("retry: 1000\n\n", event("refreshed")), beats)
    ).pipe(Stream.interruptWhen(draining.await), Stream.encodeText)
    // Not kept alive afterwards: the listener would wait for it when it closes.
    return HttpServerResponse.stream(body, {
      contentType: "text/event-stream",
      headers: { connection: "close" }
    })
  })
)
