// The messages between the front end and the kernel, and what the modules here share.
// Only the type checker reads this file; nothing of it reaches a browser.

// ---------------------------------------------------------------- the state that the kernel sends

export type ColumnKind = "key" | "main" | "text" | "time" | "expiry" | "number" | "matches" | "mixed" | "score";

export interface Column {
  name: string;
  title: string;
  kind: ColumnKind;
  sortable: boolean;
  shown: boolean;
}

/** Start and end of a match in a text, in UTF-16 code units. */
export type Span = [start: number, end: number];

export interface Cell {
  /** The text that is shown. */
  t: string;
  /** The kind of the value: str, num, bool, null, list, object, none. */
  k: string;
  /** The matches of the query. */
  m?: Span[];
  /** Whether the text was cut at its end. */
  c?: boolean;
  /** The number itself; of a time, Unix seconds. */
  v?: number;
  /** What is shown when the pointer rests on the cell. */
  h?: string;
}

export interface Row {
  key: string;
  cells: Record<string, Cell | null | undefined>;
  /** Unix seconds; null for a record that never expires. */
  expires: number | null;
  selected: boolean;
  stamp: string;
}

/** A limit of time: an instant, or one that counts back from now. */
export interface Limit {
  /** As it is shown. */
  text: string;
  /** Unix seconds; null for a limit that moves with the clock. */
  at: number | null;
  /** How many seconds it counts back from now; null for an instant. */
  back: number | null;
}

/** The filters of a query, as they are shown. They are not sent back: JavaScript cannot hold every value of them. */
export interface Filters {
  user: string | null;
  session: string | null;
  prefix: string | null;
  since: Limit | null;
  until: Limit | null;
  /** The conditions as text. */
  where: string | null;
}

/** The filters that the user has changed. A limit is Unix seconds, or a text such as "1h", which moves with the clock. */
export interface FilterChanges {
  user?: string | null;
  session?: string | null;
  prefix?: null;
  since?: number | string | null;
  until?: number | string | null;
  where?: null;
}

export interface Sort {
  /** A column's name, or "recency" for the memory's own order. */
  by: string;
  descending: boolean;
}

export type ViewName = "table" | "timeline" | "distributions" | "proposals" | "resolve";

export interface Outage {
  /** Unix seconds. */
  since: number;
  because: string;
  waiting: number;
}

export interface Status {
  backend: string;
  server: string | null | undefined;
  /** Of the file that keeps the records. */
  path?: string | null;
  namespace: string;
  size: number;
  capacity: number | null;
  evictions: number;
  /** The instant that the records are of, in Unix seconds; null for the present. */
  as_of: number | null;
  degraded: Outage | null;
}

export type NameCount = [name: string, count: number];

export interface Facets {
  users: NameCount[];
  sessions: NameCount[];
  /** How many users are not in the list. */
  more_users: number;
  more_sessions: number;
  first: number | null;
  last: number | null;
}

/** One more edge than counts. An edge of null lies at infinity. */
export interface Histogram<Edge = number | null> {
  edges: Edge[];
  counts: number[];
}

export interface Session {
  user: string;
  session: string;
  first: number;
  last: number;
  count: number;
}

export interface Charts {
  timeline: Histogram<number>;
  sessions: Session[];
  more_sessions: number;
  sizes: Histogram<number>;
  ttl: Histogram & { never: number };
}

/** Some records of a column, as a bar in the header. */
export interface HeadingBar {
  /** The value that they have, or between which values theirs are. */
  t: string;
  /** How many there are among those that were counted. */
  n: number;
  /** What the kernel is sent to keep these records alone; null if no filter can. */
  filter: string | null;
  /** Whether the bar was chosen. */
  on: boolean;
}

/** What the header shows of a column. */
export interface Heading {
  kind: "histogram" | "values";
  bars: HeadingBar[];
  /** How many records have other values. */
  others: number;
  /** How many records were looked at, of how many. */
  counted: number;
  total: number;
  /** Whether one of the bars was chosen. */
  chosen: boolean;
}

/** What the doctor has found, by check. */
export interface FoundCheck {
  /** The name of the check. */
  finding: string;
  about: string;
  severity: string;
  /** How many findings there are. */
  count: number;
  /** How many records they are about. */
  records: number;
  /** Whether some are about records that should perhaps be one. */
  decidable: boolean;
}

/** One finding of the check that is chosen. */
export interface FindingItem {
  /** The name of the check and the number of the finding. */
  finding: string;
  /** What is wrong. */
  text: string;
  /** A text in which it is seen. */
  shown: string;
  severity: string;
  records: number;
}

export interface Findings {
  checks: FoundCheck[];
  items: FindingItem[];
  /** How many records were examined. */
  examined: number;
  skipped: string[];
}

/** A piece of a text: of both (" "), of the earlier one ("-"), or of the later one ("+"). */
export type DiffPart = [sign: " " | "-" | "+", text: string];

export interface FieldDiff {
  name: string;
  parts: DiffPart[];
}

/** What an agent wants to do to a record. */
export interface Proposal {
  id: string;
  action: "add" | "delete";
  key: string;
  reason: string;
  /** Who proposes it; may be empty. */
  by: string;
  /** Unix seconds. */
  at: number;
  /** Whether there is a record, which it replaces or deletes. */
  replaces: boolean;
  /** What it would change now. */
  fields: FieldDiff[];
  /** What has changed since it was proposed; null for nothing. */
  since: FieldDiff[] | null;
}

export interface Proposals {
  /** How many there are. */
  count: number;
  /** The first of them; empty while they are not in sight. */
  items: Proposal[];
}

/** A record of a case. */
export interface CaseRecord {
  key: string;
  /** When it was written last, in Unix seconds. */
  at: number;
  expires: number | null;
}

/** One field of a pair of records. */
export interface PairField {
  name: string;
  same: boolean;
  /** The text on the left; null if that record has no such field. */
  old: DiffPart[] | null;
  new: DiffPart[] | null;
  /** Where its value comes from in what stays; null as long as nothing is planned. */
  takes: "old" | "new" | "both" | "edit" | "other" | "out" | null;
  /** Its value in what stays, if that is on neither side. */
  result: DiffPart[] | null;
  /** How it is edited: as it is, or as JSON. */
  kind: "text" | "json";
  /** What an editor begins with; null if it cannot be edited here. */
  text: string | null;
}

export type Choosing = "keep" | "both" | "merge";

/** Records that should perhaps be one, the oldest on the left. */
export interface Case {
  /** Identifies the records as they are; a decision must name it. */
  id: string;
  /** What is the matter with them. */
  why: string;
  records: CaseRecord[];
  more_records: number;
  old: CaseRecord;
  new: CaseRecord;
  /** Which of the records is on the right. */
  right: number;
  is_newest: boolean;
  /** Whether records have changed since the case was shown. */
  changed: boolean;
  /** What is planned; `place` is which record stays, and `into` whose key a merged one has. */
  choice: { what: Choosing; said: string; place: number; into: { place: number; key: string } | null } | null;
  fields: PairField[];
  more_fields: number;
}

export interface CaseList {
  count: number;
  /** The number of the case in view, from 0. */
  at: number;
  /** About how many cases something is planned. */
  decided: number;
  /** How many records these have now, and how many will be left. */
  before: number;
  after: number;
  /** The newest choice in words. */
  last: string | null;
  /** Whether a decision that is planned can be taken back. */
  can_step_back: boolean;
  /** Whether what goes is refused when it comes again. */
  for_good: boolean;
  case: Case | null;
}

export interface Cases {
  /** The checks that have such findings, and how many. */
  checks: NameCount[];
  /** null while they are not in sight, and until the records were examined. */
  /** How many cases a person has chosen, which are shown in place of those of the findings. */
  compared: number;
  list: CaseList | null;
}

export interface State {
  query: string;
  mode: string;
  modes: string[];
  filters: Filters;
  sort: Sort;
  view: ViewName;
  live: boolean;
  read_only: boolean;
  namespace: string;
  namespaces: string[];
  columns: Column[];
  more_fields: number;
  automatic: boolean;
  total: number;
  loading: boolean;
  /** What a user would not expect of how a query that ranks was understood. */
  understood: string[];
  /** The number of the first of `rows` in the whole list. */
  start: number;
  rows: Row[];
  /** How many records are selected. */
  selected: number;
  /** null until the kernel has sent it. */
  status: Status | null;
  facets: Facets | null;
  charts: Charts | null;
  /** By the name of the column; a column without one has nothing to say. */
  headings: Record<string, Heading | undefined>;
  /** null until the records were examined. */
  findings: Findings | null;
  /** The finding whose records are listed; empty for all records. */
  finding: string;
  /** null until the kernel has looked them up. */
  proposals: Proposals | null;
  /** null until the kernel has sent it. */
  cases: Cases | null;
  /** Python code that finds these records. */
  code: string;
  undoable: string | null;
}

/** What has changed since the last state message. `now` is the kernel's clock in Unix seconds. */
export type StateChange = Partial<State> & { now: number; anchor?: { key: string; index: number } | null };

// ---------------------------------------------------------------- messages from the kernel

/** `for` is the number of the message that is answered; null or absent when nothing is answered. */
interface Reply {
  for: number | null;
  /** The view that the message is for. */
  view?: number;
  /** How many messages that view has been sent, this one included. */
  number?: number;
}

export interface StateMessage extends Reply {
  kind: "state";
  view: number;
  /** Whether it holds the whole state, and not only what has changed. */
  whole?: boolean;
  state: StateChange;
}

/** The first rows, for views that the kernel has not heard yet. */
export interface OpeningMessage {
  kind: "opening";
  for?: undefined;
  state: StateChange;
}

export interface ProgressMessage {
  kind: "progress";
  for?: undefined;
  what: string;
  done: number;
  total: number | null;
}

export interface SaidMessage {
  kind: "said";
  for?: undefined;
  text: string;
  undo: boolean;
}

export interface ErrorMessage extends Reply {
  kind: "error";
  message: string;
}

export interface FileMessage extends Reply {
  kind: "file";
  name: string;
  text: string;
}

export interface Neighbour {
  key: string;
  t: string;
  updated: number;
  current: boolean;
}

export interface Message extends Neighbour {
  /** Who speaks; empty if no field says so. */
  role: string;
}

export interface Version {
  /** Unix seconds. */
  at: number;
  text: string;
  what: string;
  /** Who made it; empty if that is not known. */
  by: string;
  /** What it changed. */
  fields: FieldDiff[];
}

/** A part of a score. */
export interface ScorePart {
  signal: string;
  amount: number;
  /** The word of the record, and of the query if it is another; may be empty. */
  t: string;
  /** The key of the record before or after this one that has the word. */
  near: string | null;
}

/** Whether a record answers the search; null for a record that nobody has judged. */
export type Judgement = boolean | null;

export interface RecordMessage extends Reply {
  kind: "record";
  key: string;
  gone?: false;
  text: string;
  cut: boolean;
  length: number;
  /** Identifies the value and the expiry that were read; an edit must name it. */
  base: string;
  user: string | null;
  session: string | null;
  created: number;
  updated: number;
  expires: number | null;
  bytes: number;
  matches: string[];
  /** null if the search does not rank. */
  ranked: { score: number; parts: ScorePart[] } | null;
  judged: Judgement;
  neighbours: Neighbour[];
  /** Of a message: those before and after it, with it, in their order. */
  conversation: Message[];
  /** Of a summary: the records that it comes from, as far as they still exist. */
  sources: Neighbour[];
  /** The summaries that come from this record. */
  summaries: Neighbour[];
  history: Version[];
  /** Since when the memory keeps all changes, in Unix seconds; null if the history is what the explorer has seen. */
  kept_since: number | null;
}

export interface GoneMessage extends Reply {
  kind: "record";
  key: string;
  gone: true;
}

/** The record as another client has written it; a text of null means that it was deleted. */
export interface Conflict {
  text: string | null;
  base: string;
}

export interface EditedMessage extends Reply {
  kind: "edited";
  ok: boolean;
  key?: string;
  conflict?: Conflict;
  problem?: string;
}

/** A request that a later one has replaced. */
export interface DroppedMessage extends Reply {
  kind: "dropped";
}

export interface AliveMessage {
  kind: "alive";
  for?: undefined;
  /** How many messages each view has been sent, by its number. */
  sent: Record<string, number>;
}

export type KernelMessage =
  | StateMessage
  | OpeningMessage
  | ProgressMessage
  | SaidMessage
  | ErrorMessage
  | FileMessage
  | RecordMessage
  | GoneMessage
  | EditedMessage
  | DroppedMessage
  | AliveMessage
  | CodeMessage;

// ---------------------------------------------------------------- messages to the kernel

export interface Settings {
  query?: string;
  mode?: string;
  filters?: FilterChanges;
  sort?: Sort;
  /** A bar of the header; a filter of null takes the one of the column away. */
  pick?: { column: string; filter: string | null; text: string };
  view?: ViewName;
  /** The check or finding whose records are listed; empty for all records. */
  finding?: string;
  live?: boolean;
  namespace?: string;
  /** null for the columns that the kernel chooses. */
  columns?: string[] | null;
  /** The first row that is wanted, and the one after the last. */
  window?: [start: number, stop: number];
}

export type Selecting =
  | { all: true }
  | { none: true }
  | { keys: string[]; on: boolean }
  | { range: [start: number, stop: number]; on: boolean };

type Nothing = Record<string, never>;

/** What is planned about the cases; nothing is written. */
export type Planning =
  | { act: "go"; at: number }
  | { act: "compare"; place: number }
  | { act: "decide"; case: string; what: Choosing; place?: number }
  | { act: "take"; case: string; field: string; side: "old" | "new" | "out" }
  | { act: "into"; case: string; place: number }
  | { act: "edit"; case: string; field: string; text: string; kind: "text" | "json" }
  | { act: "undecide" }
  /** Decides about all cases without a decision; null for the newest choice once more. */
  | { act: "rest"; rule: string | null }
  | { act: "back" }
  | { act: "for good"; on: boolean };

/** The content of a message for each verb that the kernel knows. */
export interface Requests {
  hello: { visible: boolean };
  bye: Nothing;
  /** The page is still there. */
  here: Nothing;
  /** Whether the view can be seen on the screen. */
  see: { visible: boolean };
  set: Settings;
  select: Selecting;
  record: { key: string; whole: boolean };
  judge: { key: string; whole: boolean; right: Judgement };
  edit: { key: string; base: string; text: string };
  expire: { key: string; base: string; ttl: string | null };
  duplicate: { key: string; base: string; as: string };
  delete: { selected: true } | { keys: string[] };
  approve: { proposal: string; anyway: boolean };
  reject: { proposal: string };
  plan: Planning;
  /** Shows the selected records side by side. */
  compare: Nothing;
  "carry out": Nothing;
  undo: Nothing;
  export: { selected: true };
  facets: Nothing;
  examine: Nothing;
  cancel: Nothing;
  reconnect: Nothing;
}

export type Verb = keyof Requests;
export type OnReply = (message: KernelMessage) => void;

// ---------------------------------------------------------------- anywidget

/** The part of anywidget's model that the explorer uses. */
export interface Model {
  send(content: object): void;
  on(event: "msg:custom", callback: (message: KernelMessage) => void): void;
  off(event: "msg:custom", callback: (message: KernelMessage) => void): void;
}

// ---------------------------------------------------------------- the loader

/** The code of the front end, which the loader asks for. */
export interface CodeMessage {
  kind: "code";
  for?: undefined;
  version: string;
  /** The text of an ES module. */
  module: string;
  /** The text of a style sheet. */
  style: string;
}

/** The code, once the browser has imported it. */
export interface FrontEnd {
  /** Shows the widget in an element, and returns a function that removes it. */
  show(model: Model, el: HTMLElement, opening: OpeningMessage | null): () => void;
  style: string;
}

export interface Loading {
  done: Promise<FrontEnd>;
  resolve(code: FrontEnd): void;
  reject(error: unknown): void;
  /** Whether the code has come. */
  isTaken?: boolean;
}

// ---------------------------------------------------------------- elements

type Plain = string | number | boolean | null | undefined;

type Listeners = { [Name in keyof HTMLElementEventMap as `on${Name}`]?: (event: HTMLElementEventMap[Name]) => unknown };

/**
 * The attributes that the front end sets. A text of a record may be the value of each of them, so no
 * attribute is here that a browser follows, loads, runs or styles by.
 */
export type Attributes = Listeners & { [Name in `aria-${string}` | `data-${string}`]?: Plain } & {
  [Name in
    | "class"
    | "colspan"
    | "disabled"
    | "hidden"
    | "id"
    | "max"
    | "min"
    | "placeholder"
    | "role"
    | "scope"
    | "spellcheck"
    | "step"
    | "tabindex"
    | "title"
    | "type"
    | "value"]?: Plain;
};

/** As `Attributes`, for the shapes of a chart. */
export type ShapeAttributes = {
  [Name in
    | "aria-hidden"
    | "aria-label"
    | "class"
    | "height"
    | "preserveAspectRatio"
    | "role"
    | "text-anchor"
    | "viewBox"
    | "width"
    | "x"
    | "x1"
    | "x2"
    | "y"
    | "y1"
    | "y2"]?: string | number;
};

export type Child = Node | string | null | undefined | Child[];

/** A cell of the grid: row -1 is the row of headings, column 0 the checkbox. */
export interface Position {
  row: number;
  column: number;
}
