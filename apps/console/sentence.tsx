import type { ReactNode } from 'react';
import { Link } from 'react-router';
import type { Schemas } from './client.ts';
import { type Entry, useTimeline } from './reading.ts';
import { inWords } from './words.ts';

/** What a rule says, and of what: as refusals and checklists carry it. */
export type Said = Pick<Schemas['Dossier']['possible'][number]['rules'][number], 'message' | 'items'>;
type Item = NonNullable<Said['items']>[number];

/** The sentence of a rule, in which each thing that it names leads to where it is found in the dossier. */
export function Sentence({ message, items = [], dossier }: Said & { dossier: string | undefined }) {
  if (dossier === undefined || items.length === 0) return spoken(message);
  const pieces: ReactNode[] = [];
  let rest = message;
  for (const item of items) {
    const at = rest.indexOf(item.label);
    if (at < 0) continue;
    pieces.push(spoken(rest.slice(0, at)), <Place key={`${item.kind} ${item.id}`} item={item} dossier={dossier} />);
    rest = rest.slice(at + item.label.length);
  }
  return (
    <>
      {pieces}
      {spoken(rest)}
    </>
  );
}

/** Sentences write dates as data do; here they are read. */
const spoken = (text: string) => text.replaceAll(/\b\d{4}-\d{2}-\d{2}\b/g, inWords);

function Place({ item, dossier }: { item: Item; dossier: string }) {
  const { kind, id } = item;
  const label = spoken(item.label);
  if (kind === 'constat')
    return <Link to={`/dossiers/${dossier}/constats?constat=${encodeURIComponent(id)}#liste`}>{label}</Link>;
  if (kind === 'dossier') return <Link to={`/dossiers/${id}`}>{label}</Link>;
  return <Told kind={kind} id={id} label={label} dossier={dossier} />;
}

/** What has no page of its own is found where the history last tells of it. */
function Told({ kind, id, label, dossier }: Item & { dossier: string }) {
  const entries = useTimeline(dossier).data?.entries ?? [];
  const entry = entries.findLast((one) => (kind === 'fait' ? one.id === id : tells(one, id)));
  return entry ? <Link to={`/dossiers/${dossier}#r${entry.revision}`}>{label}</Link> : label;
}

const tells = ({ data }: Entry, id: string) => values(data).includes(id);

function values(data: unknown): unknown[] {
  return typeof data === 'object' && data !== null ? Object.values(data).flatMap(values) : [data];
}
