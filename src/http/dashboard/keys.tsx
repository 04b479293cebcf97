/** A key, what it does and where. */
interface Key {
  readonly key: string
  readonly what: string
  readonly where: string
  /** What has to stand on a page for the key to do anything there; null: it works on all. */
  readonly needs: string | null
}

const everywhere = (key: string, what: string): Key => ({ key, what, where: "everywhere", needs: null })

/** Presses, opens or goes into what is marked with the key. */
const marked = (key: string, what: string, where: string): Key => ({
  key,
  what,
  where,
  needs: `[data-key="${key}"]`
})

const STOPS = "main [data-stop], main a.id"

/** Every key of every page, once: the list of a page is what of these does something there. */
const KEYS: ReadonlyArray<Key> = [
  everywhere("?", "list the keys of the page"),
  { key: "j", what: "go to the next", where: "lists", needs: STOPS },
  { key: "k", what: "go to the previous", where: "lists", needs: STOPS },
  { key: "Enter", what: "open what one is at", where: "lists", needs: STOPS },
  everywhere("Esc", "leave a field, close the list of keys"),
  everywhere("h", "go home"),
  everywhere("i", "go to all issues"),
  everywhere("/", "filter the issues"),
  everywhere("n", "file a new issue"),
  everywhere("r", "refresh what is shown"),
  marked("a", "answer the first question", "home, an issue"),
  marked("y", "approve the proposal", "home, an issue"),
  marked("x", "discard the proposal", "home, an issue"),
  marked("t", "retry now, or hand over again", "home, an issue"),
  marked("p", "pause, or resume", "home"),
  marked("s", "stop the issue", "an issue"),
  marked("v", "call it reviewed", "an issue"),
  marked("m", "move the issue", "an issue"),
  marked("d", "look at the diff", "an issue"),
  marked("c", "write the review", "a diff"),
  marked("e", "go to the last error", "a transcript"),
  { key: "G", what: "go to the end", where: "a transcript", needs: "#log" }
]

/** Opened by `?`. The script hides what does nothing on the page. */
export const KeysDialog = () => (
  <dialog id="keys" aria-labelledby="keys-heading">
    <h2 id="keys-heading">Keys of this page</h2>
    <dl class="keys">
      {KEYS.map(({ key, needs, what }) => (
        <div data-for={key} data-needs={needs}>
          <dt>
            <kbd>{key}</kbd>
          </dt>
          <dd>{what}</dd>
        </div>
      ))}
    </dl>
    <form method="dialog">
      <button type="submit">Close</button>
    </form>
  </dialog>
)

/** Every key with where it works. */
export const KeysTable = () => (
  <table class="plain">
    <thead>
      <tr>
        <th scope="col">key</th>
        <th scope="col">does</th>
        <th scope="col">where</th>
      </tr>
    </thead>
    <tbody>
      {KEYS.map(({ key, what, where }) => (
        <tr>
          <td>
            <kbd>{key}</kbd>
          </td>
          <td>{what}</td>
          <td class="dim">{where}</td>
        </tr>
      ))}
    </tbody>
  </table>
)
