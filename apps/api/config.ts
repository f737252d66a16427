import { readRanges } from '@jalon/delivery';
import { isOrigin, readVerifierKey, type WitnessAddress } from '@jalon/proof';
import { plainToInstance, Transform } from 'class-transformer';
import {
  ArrayUnique,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  IsUrl,
  Matches,
  Max,
  Min,
  MinLength,
  ValidateBy,
  type ValidationOptions,
  validateSync,
} from 'class-validator';

const number = () => Transform(({ value }) => (value === '' ? undefined : Number(value)));

/** What a process may do. The default is all of it; processes that share a database may divide it. */
const ROLES = ['api', 'projector', 'delivery', 'clock', 'signer'] as const;
export type Role = (typeof ROLES)[number];

const list = () =>
  Transform(({ value }) =>
    String(value)
      .split(',')
      .map((item) => item.trim()),
  );

const IsRange = (options: ValidationOptions) =>
  ValidateBy({ name: 'isRange', validator: { validate: isRange } }, options);

function isRange(text: unknown): boolean {
  try {
    return readRanges([String(text)]).length === 1;
  } catch {
    return false;
  }
}

/** The configuration: environment variables, read once and validated. README.md documents each in one table. */
export class Config {
  @number() @IsInt() @Min(0) @Max(65_535) PORT = 3000;
  @IsString() @MinLength(1) HOST = '127.0.0.1';
  @IsString() @MinLength(1) JALON_DATA = './data';
  @list()
  @ArrayUnique({ message: 'JALON_ROLES names a role twice' })
  @IsIn(ROLES, { each: true, message: `JALON_ROLES is a list of roles, separated by commas: ${ROLES.join(', ')}` })
  JALON_ROLES: readonly Role[] = ROLES;
  /** EventStoreDB or KurrentDB, for a log that several processes write to. */
  @IsOptional()
  @Matches(/^(esdb|kurrent|kurrentdb)(\+discover)?:\/\/\S+$/, {
    message: 'ESDB_URL must be a connection string like esdb://user:password@host:2113',
  })
  ESDB_URL?: string;
  /** PostgreSQL, for read models that several processes share. */
  @IsOptional()
  @Matches(/^postgres(ql)?:\/\/(?![^/?]*,)\S+$/, {
    message: 'DATABASE_URL must be the address of one host, like postgres://user:password@host:5432/database',
  })
  DATABASE_URL?: string;
  /** Ranges of addresses that webhooks may reach besides public ones. */
  @list()
  @IsRange({ each: true, message: 'JALON_WEBHOOK_ALLOW is a list of ranges of addresses like 10.2.0.0/16,fd00::/8' })
  JALON_WEBHOOK_ALLOW: readonly string[] = [];
  /** Ranges of addresses of reverse proxies: what these say of who asks (X-Forwarded-For, -Proto, -Host) is believed. */
  @list()
  @IsRange({
    each: true,
    message: 'JALON_TRUSTED_PROXIES is a list of addresses of proxies, or ranges of them, like 10.2.0.7,fd00::/64',
  })
  @Matches(/^(?!.*\/0+$)/, { each: true, message: 'JALON_TRUSTED_PROXIES must not be everybody' })
  JALON_TRUSTED_PROXIES: readonly string[] = [];
  @IsIn(['public', 'none']) JALON_SAMPLE: 'public' | 'none' = 'public';
  @IsOptional()
  @IsUrl({ require_tld: false, require_protocol: true })
  @Matches(/^https?:\/\/[^/?#]+\/*$/, {
    message: 'JALON_PUBLIC_URL is an address without a path: the server answers at its root',
  })
  JALON_PUBLIC_URL?: string;
  /** Requests per minute and caller; 0: no limit. */
  @number() @IsInt() @Min(0) JALON_RATE = 1200;
  @IsOptional()
  @IsUrl({ require_tld: false, require_protocol: true })
  @Matches(/^(https:\/\/|http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(\/|$))/, {
    message: 'OIDC_ISSUER must be reached by https, but on this machine: who is between could make tokens',
  })
  OIDC_ISSUER?: string;
  /** Name of the log in its checkpoints; drawn once when it is absent. */
  @IsOptional()
  @ValidateBy(
    { name: 'isOrigin', validator: { validate: isOrigin } },
    { message: 'JALON_ORIGIN is one word without a plus sign, like journal.example.fr' },
  )
  JALON_ORIGIN?: string;
  /** The private key that signs checkpoints; in the data folder when it is absent. */
  @IsOptional() @IsString() @MinLength(1) JALON_KEY_FILE?: string;
  /** The last head that was signed; beside the key when it is absent. */
  @IsOptional() @IsString() @MinLength(1) JALON_HEAD_FILE?: string;
  /** Witnesses that cosign checkpoints. */
  @list()
  @ValidateBy(
    { name: 'isWitness', validator: { validate: isWitness } },
    {
      each: true,
      message: 'JALON_WITNESSES is a list of witnesses, each « name+id+key https://address », separated by commas',
    },
  )
  JALON_WITNESSES: readonly string[] = [];
  @IsOptional() @IsString() @MinLength(1) OIDC_AUDIENCE?: string;
  /** What the console is to the issuer: a public client, authorization code with PKCE. */
  @IsOptional() @IsString() @MinLength(1) OIDC_CLIENT_ID?: string;
  @IsString() @MinLength(1) OIDC_ROLES_CLAIM = 'roles';
  @IsIn(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']) LOG_LEVEL = 'info';

  /** Without an issuer, tokens are made here for whoever asks: only this machine may ask. */
  get demonstration(): boolean {
    return this.OIDC_ISSUER === undefined;
  }
}

/** A witness as JALON_WITNESSES names it: its verifier key, and the address below which it answers. @throws RangeError */
export function witnessOf(text: string): WitnessAddress {
  const [key = '', address = '', ...others] = text.split(/\s+/);
  const { protocol, href, search, hash } = new URL(address);
  if (others.length > 0 || !/^https?:$/.test(protocol) || search || hash)
    throw new RangeError(`${address} is no address.`);
  return { key: readVerifierKey(key, 'cosignature'), url: href };
}

function isWitness(text: unknown): boolean {
  try {
    witnessOf(String(text));
    return true;
  } catch {
    return false;
  }
}

/** A wrong configuration: one line that says which variable, and what is wanted. */
export class ConfigRefused extends Error {
  override readonly name = 'ConfigRefused';
}

/** Address under which clients reach the server, without a slash at its end. */
export function addressOf({
  JALON_PUBLIC_URL,
  HOST,
  PORT,
}: Pick<Config, 'JALON_PUBLIC_URL' | 'HOST' | 'PORT'>): string {
  const host = HOST.includes(':') ? `[${HOST}]` : HOST;
  return (JALON_PUBLIC_URL ?? `http://${host}:${PORT}`).replace(/\/+$/, '');
}

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '::1']);

/**
 * Reads the configuration from the environment; variables that are not Jalon's are ignored, empty ones are absent.
 * @throws ConfigRefused on the first wrong value
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const known = Object.keys(new Config()).concat(
    'JALON_PUBLIC_URL',
    'JALON_ORIGIN',
    'JALON_KEY_FILE',
    'JALON_HEAD_FILE',
    'ESDB_URL',
    'DATABASE_URL',
    'OIDC_ISSUER',
    'OIDC_AUDIENCE',
    'OIDC_CLIENT_ID',
  );
  const given = Object.fromEntries(known.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
  const config = plainToInstance(Config, given);
  const [fault] = validateSync(config);
  if (fault) {
    const { isInt, ...others } = fault.constraints ?? {};
    // An address of a database holds a password.
    const secret = fault.property === 'ESDB_URL' || fault.property === 'DATABASE_URL';
    const got = secret ? '' : ` (got ${JSON.stringify(given[fault.property])})`;
    throw new ConfigRefused(`${isInt ?? Object.values(others)[0]}${got}.`);
  }
  const absent = ROLES.filter((role) => !config.JALON_ROLES.includes(role));
  if (config.DATABASE_URL === undefined && absent.length > 0)
    throw new ConfigRefused(
      `DATABASE_URL is needed for JALON_ROLES=${config.JALON_ROLES}: without it one process does everything (${absent} is missing).`,
    );
  if (config.demonstration && config.OIDC_AUDIENCE !== undefined)
    throw new ConfigRefused(
      'OIDC_ISSUER is needed beside OIDC_AUDIENCE: without it this would be a demonstration, open to whoever is on this machine.',
    );
  if (config.demonstration && !LOOPBACK.has(config.HOST))
    throw new ConfigRefused(
      `HOST=${config.HOST} would let other machines ask for demonstration tokens: set OIDC_ISSUER, or keep HOST=127.0.0.1.`,
    );
  if (!config.demonstration && config.OIDC_AUDIENCE === undefined)
    throw new ConfigRefused(
      'OIDC_AUDIENCE is needed beside OIDC_ISSUER: a token made for another service must not pass.',
    );
  return config;
}
