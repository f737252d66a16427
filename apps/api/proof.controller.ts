import type { PlacedFact } from '@jalon/engine';
import type { StoredEvent } from '@jalon/journal';
import { type Inclusion, jwkOf, leafOfFact, makeBundle } from '@jalon/proof';
import { catalogue } from '@jalon/workflows';
import { Controller, Get, Header, Inject, Param, Query, Req, Res } from '@nestjs/common';
import { Confidential } from './confidential.ts';
import { definitionOf } from './definitions.ts';
import { Documented } from './documentation.ts';
import { callerOf, type FastifyReply, type FastifyRequest, integerOf, malformed, uuidOf } from './http.ts';
import { ProblemRaised } from './problems.ts';
import { ref } from './schemas.ts';
import { ENGINE, type Engine, PRODUCT, type Product } from './wiring.ts';

const SIZES = { type: 'integer', minimum: 1, maximum: 999_999_999_999_999 };

/** Proof that nothing was touched: signed checkpoints of the log of all facts, and what links facts and checkpoints. */
@Controller('api')
export class ProofController {
  constructor(
    @Inject(PRODUCT) private readonly product: Product,
    @Inject(ENGINE) private readonly engine: Engine,
    private readonly confidential: Confidential,
  ) {}

  @Get('checkpoints/latest')
  @Documented({
    id: 'getCheckpoint',
    tag: 'Preuve',
    summary: 'Lire le dernier point de contrôle signé du journal',
    description:
      'Une note signée (C2SP tlog-checkpoint) : origine du journal, nombre de faits, racine de leur arbre (RFC 9162), signatures Ed25519.',
    public: true,
    answers: { 200: { says: 'La note', media: 'text/plain' } },
    problems: ['preuve-indisponible', 'journal-indisponible'],
  })
  @Header('content-type', 'text/plain; charset=utf-8')
  async latest(): Promise<string> {
    return (await this.product.proving.prover.latest()).note;
  }

  @Get('proofs/inclusion')
  @Documented({
    id: 'getInclusionProof',
    tag: 'Preuve',
    summary: "Prouver qu'un fait est dans le journal (RFC 9162)",
    description:
      'L’entrée de l’arbre est l’empreinte du fait (meta.hash). Un fait qu’aucun point de contrôle ne couvre encore en fait signer un, un par seconde au plus.',
    query: { event: { ...ref('Uuid'), description: "L'identifiant du fait" } },
    answers: { 200: { says: 'La preuve, et le point de contrôle de cet arbre', schema: 'InclusionProof' } },
    problems: ['introuvable', 'preuve-indisponible', 'journal-indisponible', 'historique-illisible'],
  })
  async inclusion(@Query('event') event: string | undefined, @Req() request: FastifyRequest): Promise<object> {
    if (event === undefined) throw malformed("Le paramètre event donne l'identifiant du fait.");
    const id = uuidOf(event);
    const { prover } = this.product.proving;
    const entry = await prover.find(id);
    const unknown = new ProblemRaised('introuvable', `Aucun fait ${id} ne vous est visible.`);
    if (!entry) throw unknown;
    await this.#assertSeen({ stream: entry.stream, id }, request, unknown);
    const fact = await this.#hashOf(entry.stream, entry.revision);
    const { leaf, hashes, checkpoint } = await prover.inclusion(entry, fact);
    return {
      leafIndex: leaf,
      treeSize: checkpoint.size,
      leafHash: leafOfFact(fact).toString('hex'),
      hashes: hashes.map((hash) => hash.toString('hex')),
      checkpoint: checkpoint.note,
    };
  }

  @Get('proofs/consistency')
  @Documented({
    id: 'getConsistencyProof',
    tag: 'Preuve',
    summary: "Prouver qu'un arbre prolonge un arbre antérieur (RFC 9162)",
    public: true,
    query: {
      from: { ...SIZES, description: "Nombre de faits de l'arbre antérieur" },
      to: { ...SIZES, description: "Nombre de faits de l'arbre qui le prolonge" },
    },
    answers: { 200: { says: 'La preuve', schema: 'ConsistencyProof' } },
    problems: ['introuvable', 'preuve-indisponible', 'journal-indisponible'],
  })
  async consistency(@Query('from') from: string | undefined, @Query('to') to: string | undefined): Promise<object> {
    if (from === undefined || to === undefined)
      throw malformed('Les paramètres from et to donnent les tailles des deux arbres.');
    const second = integerOf('to', to, { absent: 0, min: 1, max: SIZES.maximum });
    const first = integerOf('from', from, { absent: 0, min: 1, max: second });
    const { prover } = this.product.proving;
    const { size } = await prover.latest();
    if (second > size)
      throw new ProblemRaised('introuvable', `Le dernier point de contrôle couvre ${size} faits, moins que ${second}.`);
    const hashes = await prover.consistency(first, second);
    return { from: first, to: second, hashes: hashes.map((hash) => hash.toString('hex')) };
  }

  @Get('dossiers/:id/bundle')
  @Documented({
    id: 'getBundle',
    tag: 'Preuve',
    summary: 'Emporter un dossier à vérifier hors ligne',
    description:
      'Un fichier : les faits et leurs enveloppes, les noms, le texte de la procédure, les preuves d’inclusion, le point de contrôle, les clés et un résumé, le tout scellé. « jalon verify » le vérifie et le rejoue sans réseau. Les faits qui ne sont pas montrés à l’appelant n’y figurent que par leur empreinte.',
    reads: 'history',
    path: ['id'],
    answers: { 200: { says: 'Le dossier à vérifier', schema: 'Bundle', media: 'application/vnd.jalon.bundle+json' } },
    problems: [
      'introuvable',
      'preuve-indisponible',
      'annuaire-indisponible',
      'journal-indisponible',
      'historique-illisible',
    ],
  })
  async bundle(
    @Param('id') id: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const dossier = await this.engine.disclose(callerOf(request), uuidOf(id));
    const { directory, proving, accesses } = this.product;
    const stored = await dossier.stored();
    const placed = stored.redacted;
    const records = await this.#erasuresOf(placed.filter(({ isWithheld }) => !isWithheld));
    const erasures = records.map(({ envelope, position, hash }) => ({ id: envelope.id, position, hash }));
    const { proofs, checkpoint } = await proving.prover.inclusions([...placed, ...erasures]);
    const { events, isWithheld, isContextSaltTold } = await stored.open(accesses.recorder(request));
    reply.type('application/vnd.jalon.bundle+json; charset=utf-8');
    reply.header('content-disposition', `attachment; filename="dossier-${id}.bundle.json"`);
    return makeBundle({
      dossier: id,
      events,
      isWithheld,
      isContextSaltTold,
      directory,
      find: (name, version) => catalogue.find(name, version),
      definitionOf,
      proofs: proofs.slice(0, events.length),
      erasures: records.map((event, i) => ({ event, proof: proofs[events.length + i] as Inclusion })),
      checkpoint,
      keys: await proving.prover.keys(),
      seal: (text) => proving.sealer.seal(text),
    });
  }

  @Get('keys')
  @Documented({
    id: 'getKeys',
    tag: 'Preuve',
    summary: 'Lire les clés publiques qui signent ou ont signé',
    description: 'Un JWK set (RFC 7517, RFC 8037), la clé actuelle en premier.',
    public: true,
    answers: { 200: { says: 'Les clés', schema: 'Keys', media: 'application/jwk-set+json' } },
    problems: ['preuve-indisponible', 'journal-indisponible'],
  })
  @Header('content-type', 'application/jwk-set+json; charset=utf-8')
  async keys(): Promise<string> {
    return JSON.stringify({ keys: (await this.product.proving.prover.keys()).map(jwkOf) });
  }

  /** The records of who asked for the payloads of these facts to be destroyed, of those that are. */
  async #erasuresOf(facts: readonly PlacedFact[]): Promise<StoredEvent[]> {
    const records: StoredEvent[] = [];
    for (const { id, isApart } of facts) {
      if (!isApart || (await this.product.directory.payload(id)) !== null) continue;
      const record = await this.product.accesses.erasureOf(id);
      // What nobody asked to be destroyed is lost: no bundle may say that it was erased.
      if (!record) throw new ProblemRaised('historique-illisible');
      records.push(record);
    }
    return records;
  }

  /** Facts of dossiers are seen as in the history; the log of accesses is the auditor's. */
  async #assertSeen({ stream, id }: { stream: string; id: string }, request: FastifyRequest, unseen: Error) {
    const caller = callerOf(request);
    if (!stream.startsWith('dossier-')) {
      if (!caller.roles.includes('auditeur')) throw unseen;
      return;
    }
    if (!(await this.engine.disclose(caller, stream.slice('dossier-'.length))).shows(id)) throw unseen;
  }

  async #hashOf(stream: string, revision: number): Promise<string> {
    const hash = await this.confidential.hashOf(stream, revision);
    if (hash === null) throw new ProblemRaised('historique-illisible');
    return hash;
  }
}
