import { Button } from '@codegouvfr/react-dsfr/Button';
import { useState } from 'react';
import type { Schema } from './reading.ts';
import { countryOf, inWords, periodInWords, wordOf } from './words.ts';

/** The content of a fact in words: each field under the label that its class gives it, dates written out. */
export function Content({ data, schema }: { data: Readonly<Record<string, unknown>>; schema: Schema | undefined }) {
  return <Members data={data} schema={schema} defs={schema?.$defs ?? {}} />;
}

type Defs = Readonly<Record<string, Schema>>;

function Members({ data, schema, defs }: { data: object; schema: Schema | undefined; defs: Defs }) {
  const shown = Object.entries(data).filter(([, value]) => !(Array.isArray(value) && value.length === 0));
  if (shown.length === 0) return null;
  return (
    <dl className="contenu">
      {shown.map(([name, value]) => {
        const field = schema?.properties?.[name];
        return (
          <div key={name}>
            <dt>{field?.title ?? name}</dt>
            <dd>
              <Value value={value} schema={field} defs={defs} />
            </dd>
          </div>
        );
      })}
    </dl>
  );
}

function Value({ value, schema, defs }: { value: unknown; schema: Schema | undefined; defs: Defs }) {
  const target = schema?.$ref?.split('/').at(-1);
  const known = target === undefined ? schema : defs[target];
  if (typeof value === 'string') return <span className="texte">{textOf(value, known)}</span>;
  if (typeof value === 'boolean') return value ? 'oui' : 'non';
  if (Array.isArray(value)) {
    if (value.every((item) => typeof item === 'string' && item.length < 40))
      return value.map((item) => textOf(item, known?.items)).join(', ');
    return (
      <ul>
        {value.map((item, index) => (
          <li key={index}>
            <Value value={item} schema={known?.items} defs={defs} />
          </li>
        ))}
      </ul>
    );
  }
  if (isDocument(value)) return <DocumentLine {...value} />;
  if (value !== null && typeof value === 'object') return <Members data={value} schema={known} defs={defs} />;
  return String(value);
}

/** A text as its field means it: what only looks like a date, a decision's number for instance, is left as it is. */
function textOf(text: string, { format, pattern, enum: words }: Schema = {}): string {
  if (format === 'date') return inWords(text);
  if (pattern?.includes('T[1-4]')) return periodInWords(text);
  if (words) return /^[A-Z]{2}$/.test(text) ? countryOf(text) : wordOf(text);
  return text;
}

type Document = { reference: string; titre: string; empreinte: string };

function isDocument(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && 'empreinte' in value && 'titre' in value;
}

/** A document by its title and reference, and the digest by which its file is recognised. */
function DocumentLine({ reference, titre, empreinte }: Document) {
  return (
    <>
      {titre} ({reference}) <Digest hex={empreinte} />
    </>
  );
}

/** A digest, of which the beginning is shown and the whole copied. */
export function Digest({ hex, of = 'SHA-256' }: { hex: string; of?: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(hex);
    setCopied(true);
    setTimeout(() => setCopied(false), 3000);
  };
  return (
    <span className="empreinte">
      <span className="fr-text--xs">{of}</span> <code title={hex}>{hex.slice(0, 12)}…</code>
      <code className="papier">{hex}</code>
      <Button
        className="ecran"
        size="small"
        priority="tertiary no outline"
        iconId="fr-icon-clipboard-line"
        title={`Copier l’empreinte ${hex.slice(0, 12)}`}
        onClick={() => void copy()}
      />
      <span role="status" className={copied ? 'fr-text--xs' : 'fr-sr-only'}>
        {copied ? 'Copié' : ''}
      </span>
    </span>
  );
}
