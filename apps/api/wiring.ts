import type { Accepted, Engine as WholeEngine } from '@jalon/engine';
import type { Leaving } from './delivery.ts';
import type { Product as WholeProduct } from './product.ts';

/** Keys under which Nest injects what is made before it: see app.module.ts. */
export const ENGINE = Symbol('engine');
export const PRODUCT = Symbol('product');
export const CONFIG = Symbol('config');
export const STREAMS = Symbol('streams');

export type { Config } from './config.ts';

/** That a fact was accepted, and nothing that could be withheld from somebody. */
export type Receipt = Pick<Accepted, 'remembered'> & {
  dossier: { id: string };
  event: { position: bigint; envelope: { id: string; revision: number; to?: string | null } };
};

/** The engine as controllers are given it: what it tells of dossiers is sealed. */
export type Engine = Pick<WholeEngine, 'disclose' | 'waits' | 'today' | 'acknowledged'> & {
  open(...proposal: Parameters<WholeEngine['open']>): Promise<Receipt>;
  advance(...proposal: Parameters<WholeEngine['advance']>): Promise<Receipt>;
  answer(accepted: Receipt, ...to: [Parameters<WholeEngine['answer']>[1]]): ReturnType<WholeEngine['answer']>;
};

/** What may be read past the log of accesses, which no controller is given. */
type Bare = 'engine' | 'journal' | 'findings' | 'deadlines' | 'timelines' | 'leaving';

/** The product as controllers are given it. */
export type Product = Omit<WholeProduct, Bare> & {
  engine: Engine;
  journal: Pick<WholeProduct['journal'], 'tip' | 'durability'>;
  leaving: Omit<Leaving, 'hub'>;
};
