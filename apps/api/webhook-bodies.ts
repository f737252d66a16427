import { OneOf, Text, Texts } from '@jalon/flow';

const ADDRESS = {
  label: 'Adresse',
  hint: 'https://…, qui accepte la poignée de main de CloudEvents',
  max: 2000,
  lines: false,
};
const TYPES = {
  label: 'Types de faits',
  hint: 'Exacts (« j0.acceptee ») ou par étape (« j2.* ») ; une liste vide : tous',
  max: 100,
  maxText: 100,
  optional: true,
} as const;
const JALONS = {
  label: 'Jalons',
  hint: 'Les faits qui en franchissent un, et leurs corrections ; une liste vide : tous les faits',
  max: 20,
  maxText: 20,
  optional: true,
} as const;

/** What a webhook is set up with. */
export class WebhookRequest {
  @Text(ADDRESS) url!: string;
  @Texts(TYPES) types?: string[];
  @Texts(JALONS) jalons?: string[];
  @Text({
    label: 'Secret',
    hint: '« whsec_ » et 24 à 64 octets en base64 ; tiré au sort s’il est absent',
    optional: true,
  })
  secret?: string;
}

/** What is changed of one. */
export class WebhookChange {
  @Text({ ...ADDRESS, optional: true }) url?: string;
  @Texts(TYPES) types?: string[];
  @Texts(JALONS) jalons?: string[];
  @OneOf(['active', 'disabled'], { label: 'État', optional: true }) state?: 'active' | 'disabled';
}

/** What is delivered again. */
export class WebhookReplay {
  @Text({
    label: 'À partir de',
    hint: 'Le curseur d’un fait, un instant (RFC 3339), « start » : tout, ou « dead-letters » : ce qui a été abandonné',
    max: 100,
  })
  from!: string;
}
