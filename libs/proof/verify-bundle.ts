import type { FindWorkflow } from '@jalon/flow';
import {
  canonicalJson,
  dataHash,
  ENVELOPE_SCHEMA,
  ERASURE_ASKED,
  Erasables,
  envelopeHash,
  saltedHash,
  sha256,
} from '@jalon/journal';
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import schema from './bundle.schema.json' with { type: 'json' };
import type { Bundle } from './bundle.ts';
import type { BundledFact } from './bundled-fact.ts';
import { openCheckpoint, type TreeHead } from './checkpoint.ts';
import { cosignaturesOf } from './cosignature.ts';
import { type Fault, type Field, HistoryCheck } from './history.ts';
import { fromBase64, isSignedBy, type NoteKey, NoteRefused, noteKey } from './note.ts';
import { leafOfFact } from './prover.ts';
import { summarise } from './summary.ts';
import { rootByInclusion } from './tree.ts';

/** What is checked of a bundle, in this order. */
export const BUNDLE_CHECKS = {
  forme: 'forme du fichier',
  sceau: 'sceau',
  confiance: 'confiance dans la clé',
  controle: 'point de contrôle',
  temoins: 'témoins',
  arbre: "preuves d'inclusion",
  chaine: 'chaîne',
  contenus: 'contenus',
  noms: 'noms',
  procedure: 'texte de la procédure',
  rejeu: 'rejeu',
  resume: 'résumé',
} as const;

/** One check: whether it holds, holds as far as it can be made, or fails; where, when that is known. */
export type Check = {
  check: keyof typeof BUNDLE_CHECKS;
  outcome: 'ok' | 'limited' | 'failed';
  /** In a French sentence. */
  says: string;
  /** Revision of the fact at fault. */
  fact?: number;
  /** What of it, or of the bundle, is at fault. */
  field?: Field | 'summary';
};

/** What a verification found. */
export type BundleReport = {
  /** Whether nothing failed. */
  ok: boolean;
  /** Whether the key was known beforehand. */
  trusted: boolean;
  dossier: string | null;
  facts: number;
  checks: Check[];
};

/** What a verifier has of its own. */
export type Verifying = {
  /** Keys known beforehand, by the 32 bytes; none: the key that is in the bundle is used, and trust is said to be open. */
  keys?: readonly Buffer[];
  /** Witnesses that must have cosigned the checkpoint: who trusts them need not trust the log. None: none is asked for. */
  witnesses?: readonly NoteKey[];
  /** The workflows that this build can replay. */
  find: FindWorkflow;
};

/**
 * Verifies a bundle: pure, with no network nor database. Every check is made that still can be, so that the report tells
 * where something was changed and not only that it was.
 */
export function verifyBundle(text: string, { keys = [], witnesses = [], find }: Verifying): BundleReport {
  const checks: Check[] = [];
  const report = (bundle: Bundle | null): BundleReport => ({
    ok: checks.every(({ outcome }) => outcome !== 'failed'),
    trusted: keys.length > 0 && checks.some(({ check, outcome }) => check === 'confiance' && outcome === 'ok'),
    dossier: bundle?.dossier ?? null,
    facts: bundle?.facts.length ?? 0,
    checks,
  });
  const { bundle, isSound } = readForm(text, checks);
  if (!bundle) return report(null);
  const further: Check[] = [];
  try {
    const signer = checkSeal(bundle, further);
    further.push(trust(signer, keys));
    const head = checkHead(bundle, signer, further);
    if (witnesses.length > 0) further.push(checkWitnesses(bundle, head, witnesses));
    further.push(checkTree(bundle, head));
    further.push(...checkHistory(bundle, find, head));
    further.push(checkSummary(bundle, find));
  } catch (broken) {
    // What does not follow the schema may hold anything: that it does not is said already.
    if (isSound) throw broken;
    return report(null);
  }
  const order = Object.keys(BUNDLE_CHECKS);
  checks.push(...further.sort((a, b) => order.indexOf(a.check) - order.indexOf(b.check)));
  return report(bundle);
}

/** The bundle that a text is, as far as it is JSON; `isSound` when it follows the schema, so that nothing else surprises. */
function readForm(text: string, checks: Check[]): { bundle: Bundle | null; isSound: boolean } {
  const failed = (says: string, where: Partial<Check> = {}) => {
    checks.push({ check: 'forme', outcome: 'failed', says, ...where });
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (broken) {
    failed(`le fichier n'est pas du JSON (${(broken as Error).message})`, nearbyFact(text, offsetIn(broken as Error)));
    return { bundle: null, isSound: false };
  }
  const validate = validator();
  if (!validate(value)) {
    const [error] = [...(validate.errors ?? [])].sort(byDepth);
    const path = error?.instancePath ?? '';
    failed(`${path || '/'} ne suit pas le schéma : ${error?.message ?? ''}`, placeOf(path, value));
    return { bundle: value as Bundle, isSound: false };
  }
  const canonical = canonicalOf(value);
  if (canonical === text)
    checks.push({ check: 'forme', outcome: 'ok', says: 'JSON canonique (RFC 8785), conforme au schéma 1' });
  else {
    const at = canonical === null ? 0 : firstDifference(text, canonical);
    failed(`le fichier n'est pas sous sa forme canonique (caractère ${at})`, nearbyFact(text, at));
  }
  return { bundle: value as Bundle, isSound: true };
}

let compiled: ValidateFunction | undefined;

function validator(): ValidateFunction {
  compiled ??= new Ajv2020({ strict: false, allErrors: true }).addSchema(ENVELOPE_SCHEMA).compile(schema);
  return compiled;
}

function canonicalOf(value: unknown): string | null {
  try {
    return canonicalJson(value);
  } catch {
    // A number that JSON can write and RFC 8785 cannot.
    return null;
  }
}

/** The key of the bundle that made its seal, null when it was not made over what is there. */
function checkSeal({ seal, ...sealed }: Bundle, checks: Check[]): NoteKey | null {
  const failed = (says: string) => {
    checks.push({ check: 'sceau', outcome: 'failed', says });
    return null;
  };
  const found = keysOf({ keys: sealed.keys }).find(({ id }) => id === seal.kid);
  if (!found) return failed(`aucune clé du fichier n'a l'identifiant ${seal.kid}`);
  const signature = fromBase64(seal.signature);
  const signed = canonicalOf(sealed);
  if (!signature || signed === null || !isSignedBy(signed, signature, found))
    return failed(`la signature de la clé ${seal.kid} n'est pas celle de ce contenu : il a été changé`);
  checks.push({ check: 'sceau', outcome: 'ok', says: `signé par la clé ${found.id}, ${found.name}` });
  return found;
}

/** Keys of a bundle whose id is that of their name and bytes. */
function keysOf({ keys }: Pick<Bundle, 'keys'>): NoteKey[] {
  return keys.flatMap(({ name, x, kid }) => {
    try {
      const key = noteKey(name, Buffer.from(x, 'base64url'));
      return key.id === kid ? key : [];
    } catch {
      return [];
    }
  });
}

function trust(signer: NoteKey | null, known: readonly Buffer[]): Check {
  const check = 'confiance';
  if (!signer) return { check, outcome: 'failed', says: "aucune clé n'a signé ce contenu" };
  if (known.length === 0)
    return {
      check,
      outcome: 'limited',
      says: `elle n'est pas établie : la clé ${signer.id} vient du fichier lui-même (--key en nomme une connue d'ailleurs)`,
    };
  return known.some((key) => key.equals(signer.publicKey))
    ? { check, outcome: 'ok', says: `la clé ${signer.id} est de celles qui ont été données` }
    : { check, outcome: 'failed', says: `la clé ${signer.id} n'est pas de celles qui ont été données` };
}

/** The head of the tree, signed by the key that sealed. */
function checkHead(bundle: Bundle, signer: NoteKey | null, checks: Check[]): TreeHead | null {
  const check = 'controle';
  try {
    const head = openCheckpoint(bundle.checkpoint, keysOf(bundle));
    if (signer && !head.by.some(({ id }) => id === signer.id))
      checks.push({ check, outcome: 'failed', says: "une autre clé que celle du sceau l'a signé" });
    else if (head.origin !== (signer ?? head.by[0])?.name)
      checks.push({ check, outcome: 'failed', says: `il est d'un autre journal, ${head.origin}` });
    else checks.push({ check, outcome: 'ok', says: `${counted(head.size, 'fait')} du journal ${head.origin}` });
    return head;
  } catch (refused) {
    if (!(refused instanceof NoteRefused)) throw refused;
    checks.push({ check, outcome: 'failed', says: "ce n'est pas une note signée par une clé du fichier" });
    return null;
  }
}

function checkWitnesses({ checkpoint }: Bundle, head: TreeHead | null, witnesses: readonly NoteKey[]): Check {
  const check = 'temoins';
  const cosignatures = head === null ? [] : cosignaturesOf(checkpoint, witnesses);
  const absent = witnesses.filter(({ id }) => !cosignatures.some(({ key }) => key.id === id));
  if (absent.length > 0) {
    const names = absent.map(({ name, id }) => `${name} (${id})`).join(', ');
    return { check, outcome: 'failed', says: `le point de contrôle n'est pas cosigné par ${names}` };
  }
  const says = cosignatures.map(({ key, at }) => `${key.name}, le ${new Date(at * 1000).toISOString()}`).join(' ; ');
  return { check, outcome: 'ok', says: `cosigné par ${says}` };
}

function checkTree({ facts, proofs }: Bundle, head: TreeHead | null): Check {
  const check = 'arbre';
  if (!head) return { check, outcome: 'failed', says: 'sans point de contrôle, rien ne peut être prouvé' };
  if (proofs.length !== facts.length)
    return {
      check,
      outcome: 'failed',
      says: `${counted(proofs.length, 'preuve')} pour ${counted(facts.length, 'fait')}`,
    };
  let last = -1;
  for (const [revision, { hash }] of facts.entries()) {
    const { leafIndex, hashes } = proofs[revision] as Bundle['proofs'][number];
    const path = hashes.map((one) => Buffer.from(one, 'hex'));
    const root = rootByInclusion(leafIndex, head.size, leafOfFact(hash), path);
    if (leafIndex <= last || !root?.equals(head.root)) {
      const says = `le fait ${revision} n'est pas à sa place dans l'arbre du point de contrôle`;
      return { check, outcome: 'failed', says, fact: revision, field: 'enveloppe' };
    }
    last = leafIndex;
  }
  return { check, outcome: 'ok', says: `${counted(facts.length, 'fait')} dans l'arbre, à leur place` };
}

/** Chain, payloads, names, definitions and replay: facts one after the other. */
function checkHistory(bundle: Bundle, find: FindWorkflow, head: TreeHead | null): Check[] {
  const { facts, names, dossier } = bundle;
  const commitments = names.map(({ commitment }) => commitment);
  const history = new HistoryCheck(`dossier-${dossier}`, find, commitments);
  const faults: Fault[] = [];
  const erasables = new Erasables(find);
  for (const [revision, fact] of facts.entries()) {
    if ('withheld' in fact) {
      if (fact.revision !== revision)
        faults.push({ check: 'chaine', revision, type: '', field: 'enveloppe', says: 'la révision ne suit pas' });
      history.withheld(revision, fact.hash);
      continue;
    }
    faults.push(...history.next(held(fact)));
    const isTold = 'erased' in fact || fact.erasable === true;
    if ('erased' in fact && !isErased(fact.envelope.id, bundle, head)) {
      const says = 'le contenu manque, sans la preuve que son effacement fut demandé';
      faults.push({ check: 'contenus', revision, type: fact.envelope.type, field: 'data', says });
    }
    const erasable = erasables.next(fact.envelope);
    if (erasable !== undefined && erasable !== isTold) {
      const says = isTold ? 'un tel contenu ne s’efface pas' : 'un tel contenu peut s’effacer, et n’est pas dit tel';
      faults.push({ check: 'contenus', revision, type: fact.envelope.type, field: 'data', says });
    }
  }
  const result = (check: 'chaine' | 'contenus' | 'rejeu', says: string): Check => {
    const first = faults.find((one) => one.check === check);
    if (!first) return { check, outcome: 'ok', says };
    const { revision, field } = first;
    return { check, outcome: 'failed', says: said(first), fact: revision, field };
  };
  const withheld = facts.filter((fact) => 'withheld' in fact).length;
  const erased = facts.filter((fact) => 'erased' in fact).length;
  const chain = result('chaine', `${counted(facts.length, 'fait')}, chacun lié au précédent`);
  const kept = `${counted(facts.length - withheld - erased, 'contenu')} selon leur empreinte`;
  const missing = [
    withheld > 0 ? counted(withheld, 'non communiqué') : '',
    erased > 0 ? counted(erased, 'effacé') : '',
  ].filter((part) => part !== '');
  const payloads = result('contenus', [kept, ...missing].join(', '));
  return [chain, payloads, checkNames(bundle), checkDefinitions(bundle, find), replayed(result, history, facts.length)];
}

/** Whether the log holds, under this head, that the payload of a fact be destroyed: the bundle carries that record. */
function isErased(id: string, { erasures = [] }: Bundle, head: TreeHead | null): boolean {
  return erasures.some(({ envelope, hash, data, salt, proof }) => {
    const path = proof.hashes.map((one) => Buffer.from(one, 'hex'));
    const isRecord = envelope.type === ERASURE_ASKED && envelope.stream.startsWith('acces-') && data.fait === id;
    const isIntact = envelopeHash(envelope) === hash && dataHash(salt, data) === envelope.dataHash;
    const root = head && rootByInclusion(proof.leafIndex, head.size, leafOfFact(hash), path);
    return isRecord && isIntact && head !== null && root?.equals(head.root) === true;
  });
}

function replayed(
  result: (check: 'rejeu', says: string) => Check,
  { stop, situation }: HistoryCheck,
  facts: number,
): Check {
  const all = `${counted(facts, 'fait')}, jusqu'à « ${situation?.state.label ?? ''} »`;
  const check = result('rejeu', all);
  if (check.outcome === 'failed' || !stop) return check;
  if (stop.because === 'fault') return { check: 'rejeu', outcome: 'failed', says: stop.says };
  const upTo = stop.revision > 0 ? `${counted(stop.revision, 'fait')} ; ` : '';
  return { check: 'rejeu', outcome: 'limited', says: `rejeu limité : ${upTo}${stop.says}` };
}

function checkNames({ facts, names }: Bundle): Check {
  const check = 'noms';
  const failed = (says: string, fact?: number): Check => ({
    check,
    outcome: 'failed',
    says,
    field: 'names',
    ...(fact === undefined ? {} : { fact }),
  });
  const bearers = new Map<string, number>();
  for (const [revision, fact] of facts.entries())
    if ('envelope' in fact)
      for (const person of [fact.envelope.actor, fact.envelope.onBehalfOf])
        if (person?.name !== undefined && !bearers.has(person.name)) bearers.set(person.name, revision);
  let previous = '';
  for (const { commitment, name, salt } of names) {
    if (commitment <= previous) return failed('les noms ne sont pas dans leur ordre');
    previous = commitment;
    const revision = bearers.get(commitment);
    if (revision === undefined) return failed(`« ${name} » n'est le nom de personne dans ces faits`);
    if (saltedHash(salt, name) !== commitment)
      return failed(`fait ${revision} : « ${name} » n'est pas le nom qui y a été enregistré (names)`, revision);
  }
  const erased = bearers.size - names.length;
  const says = `${counted(names.length, 'nom')} selon ce qui est enregistré${erased > 0 ? `, ${counted(erased, 'effacé')}` : ''}`;
  return { check, outcome: 'ok', says };
}

/** The texts have the hash that envelopes carry, and there is one for each version that is followed. */
function checkDefinitions({ facts, workflows }: Bundle, find: FindWorkflow): Check {
  const check = 'procedure';
  const failed = (says: string): Check => ({ check, outcome: 'failed', says });
  const hashes = new Map<string, string>();
  for (const { name, version, hash, files } of workflows) {
    if (hashes.has(`${name} ${version}`)) return failed(`${name} ${version} y est deux fois`);
    if (sha256(canonicalJson(files)) !== hash) return failed(`le texte de ${name} ${version} n'a pas son empreinte`);
    hashes.set(`${name} ${version}`, hash);
  }
  const followed = new Set<string>();
  for (const fact of facts) {
    if (!('envelope' in fact) || !fact.envelope.workflow) continue;
    const { name, version, hash } = fact.envelope.workflow;
    followed.add(`${name} ${version}`);
    if (hashes.get(`${name} ${version}`) !== hash) {
      const { revision } = fact.envelope;
      const says = `fait ${revision} : le texte de sa procédure, ${name} ${version}, n'est pas là`;
      return { check, outcome: 'failed', says, fact: revision, field: 'enveloppe' };
    }
  }
  if (followed.size < workflows.length) return failed('un texte y est que nul fait ne suit');
  const unknown = workflows.filter(({ name, version, hash }) => find(name, version)?.hash !== hash);
  if (unknown.length > 0) {
    const [{ name, version }] = unknown as [Bundle['workflows'][number]];
    return {
      check,
      outcome: 'limited',
      says: `cette version du logiciel n'a pas ${name} ${version} : le texte seul fait foi`,
    };
  }
  return { check, outcome: 'ok', says: [...hashes.keys()].join(', ') };
}

function checkSummary({ facts, names, summary }: Bundle, find: FindWorkflow): Check {
  const check = 'resume';
  const again = summarise(facts, new Map(names.map(({ commitment, name }) => [commitment, name])), find);
  if (!again)
    return { check, outcome: 'limited', says: 'non recalculé : cette version du logiciel n’a pas la procédure suivie' };
  if (canonicalOf(again) === canonicalOf(summary)) return { check, outcome: 'ok', says: 'recalculé, identique' };
  const at = again.lines.findIndex((line, i) => line !== summary.lines[i]);
  const says = at < 0 ? 'il ne dit pas ce que disent les faits' : `sa ligne ${at} ne dit pas ce que dit le fait ${at}`;
  return { check, outcome: 'failed', says: `${says} (summary)`, field: 'summary', ...(at < 0 ? {} : { fact: at }) };
}

/** « 1 fait », « 2 faits ». */
function counted(number: number, words: string): string {
  return `${number} ${number > 1 ? words.replaceAll(/(?<=\p{L})(?= |$)/gu, 's') : words}`;
}

function held(fact: Exclude<BundledFact, { withheld: true }>) {
  const { envelope, hash } = fact;
  if ('erased' in fact) return { envelope, hash, erasable: true };
  const { data, salt, erasable = false, contextSalt, digests } = fact;
  return {
    envelope,
    hash,
    payload: { data, salt },
    erasable,
    ...(contextSalt === undefined ? {} : { contextSalt }),
    ...(digests === undefined ? {} : { digests }),
  };
}

function said({ revision, type, field, says }: Fault): string {
  return `fait ${revision}${type ? ` (${type})` : ''} : ${says} (${field})`;
}

/** The fact and the field that a place in the file is about. */
function placeOf(path: string, value: unknown): Partial<Check> {
  const [, member, index, inside, field] = path.split('/');
  if (member === 'summary') return { field: 'summary' };
  if (member === 'names') return { field: 'names' };
  if (member !== 'facts' || index === undefined) return {};
  const fact = Number(index);
  if (inside === 'data' || inside === 'salt') return { fact, field: 'data' };
  const known: readonly string[] = ['from', 'to', 'stateHash', 'previousHash'];
  const named = field !== undefined && known.includes(field) ? (field as Field) : 'enveloppe';
  return Array.isArray((value as Bundle).facts) ? { fact, field: named } : {};
}

/** The deepest error tells most; `if` only says that its branch failed. */
function byDepth(a: ErrorObject, b: ErrorObject): number {
  const depth = ({ instancePath, keyword }: ErrorObject) => instancePath.split('/').length - (keyword === 'if' ? 1 : 0);
  return depth(b) - depth(a);
}

/** The fact in whose text an offset lies, as far as the text of a bundle tells. */
function nearbyFact(text: string, offset: number): Partial<Check> {
  const from = text.indexOf('"facts":[');
  const to = text.indexOf('],"keys":[', from);
  if (from < 0 || offset < from || (to >= 0 && offset > to)) return {};
  const [, revision] = /"revision":(\d{1,6})/.exec(text.slice(offset)) ?? [];
  return revision === undefined ? {} : { fact: Number(revision), field: 'enveloppe' };
}

function offsetIn({ message }: Error): number {
  return Number(/position (\d+)/.exec(message)?.[1] ?? 0);
}

function firstDifference(one: string, other: string): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  return at;
}
