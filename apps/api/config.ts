import { plainToInstance, Transform } from 'class-transformer';
import { IsIn, IsInt, IsOptional, IsString, IsUrl, Max, Min, MinLength, validateSync } from 'class-validator';

const number = () => Transform(({ value }) => (value === '' ? undefined : Number(value)));

/** The configuration: environment variables, read once and validated. README.md documents each in one table. */
export class Config {
  @number() @IsInt() @Min(0) @Max(65_535) PORT = 3000;
  @IsString() @MinLength(1) HOST = '127.0.0.1';
  @IsString() @MinLength(1) JALON_DATA = './data';
  @IsIn(['public', 'none']) JALON_SAMPLE: 'public' | 'none' = 'public';
  @IsOptional() @IsUrl({ require_tld: false, require_protocol: true }) JALON_PUBLIC_URL?: string;
  /** Requests per minute and caller; 0: no limit. */
  @number() @IsInt() @Min(0) JALON_RATE = 1200;
  @IsOptional() @IsUrl({ require_tld: false, require_protocol: true }) OIDC_ISSUER?: string;
  @IsOptional() @IsString() @MinLength(1) OIDC_AUDIENCE?: string;
  @IsString() @MinLength(1) OIDC_ROLES_CLAIM = 'roles';
  @IsIn(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']) LOG_LEVEL = 'info';

  /** Without an issuer, tokens are made here for whoever asks: only this machine may ask. */
  get demonstration(): boolean {
    return this.OIDC_ISSUER === undefined;
  }
}

/** A wrong configuration: one line that says which variable, and what is wanted. */
export class ConfigRefused extends Error {
  override readonly name = 'ConfigRefused';
}

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '::1']);

/**
 * Reads the configuration from the environment; variables that are not Jalon's are ignored, empty ones are absent.
 * @throws ConfigRefused on the first wrong value
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const known = Object.keys(new Config()).concat('JALON_PUBLIC_URL', 'OIDC_ISSUER', 'OIDC_AUDIENCE');
  const given = Object.fromEntries(known.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
  const config = plainToInstance(Config, given);
  const [fault] = validateSync(config);
  if (fault) {
    const { isInt, ...others } = fault.constraints ?? {};
    throw new ConfigRefused(`${isInt ?? Object.values(others)[0]} (got ${JSON.stringify(given[fault.property])}).`);
  }
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
