/** What a host name says about a request. */
export interface HostMeaning {
  /** First label that names a service: `lambda`, `s3`, … */
  readonly service: string | undefined;
  readonly region: string | undefined;
  /** Bucket in front of S3's name. */
  readonly bucket: string | undefined;
}

const nothing: HostMeaning = { service: undefined, region: undefined, bucket: undefined };

/**
 * Domains whose first labels are read as AWS's: AWS's own, and names that resolve to this machine. A bucket may stand
 * directly before the latter (`pictures.localhost`), as SDKs put it before a custom endpoint's host.
 */
const awsDomains = ['.amazonaws.com', '.amazonaws.com.cn', '.api.aws'];
const localDomains = ['.localhost.localstack.cloud', '.localhost'];

const regionLabel = /^(?:[a-z]{2}(?:-[a-z]+){1,3}-\d|us-gov-[a-z]+-\d)$/;

/** `host`: lower case, with or without a port. `known`: whether a label is the host label of a service here. */
export function readHost(host: string, known: (label: string) => boolean): HostMeaning {
  const name = host.replace(/:\d+$/, '');
  const aws = awsDomains.find((domain) => name.endsWith(domain));
  const local = aws === undefined ? localDomains.find((domain) => name.endsWith(domain)) : undefined;
  const domain = aws ?? local;
  if (domain === undefined) return nothing;
  const labels = name.slice(0, -domain.length).split('.');
  const s3 = labels.findLastIndex((label) => /^s3(?:-fips|-accelerate|-website)?(?:-[a-z]{2}-[a-z]+-\d)?$/.test(label));
  if (s3 >= 0) {
    const region = labels.slice(s3 + 1).find((label) => regionLabel.test(label));
    return {
      service: 's3',
      region: region ?? /-([a-z]{2}-[a-z]+-\d)$/.exec(labels[s3]!)?.[1],
      bucket: s3 > 0 ? labels.slice(0, s3).join('.') : undefined,
    };
  }
  const region = labels.find((label) => regionLabel.test(label));
  const service = labels.map((label) => label.replace(/-fips$/, '')).find(known);
  if (service !== undefined) return { service, region, bucket: undefined };
  if (local !== undefined && region === undefined)
    return { service: 's3', region: undefined, bucket: labels.join('.') };
  return { service: labels[0], region, bucket: undefined };
}
