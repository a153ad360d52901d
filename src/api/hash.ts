/** Hashes that are fixed for good: whoever computes one, today or in a later version, gets the same. */

/** 32 bits in which each bit of the text counts everywhere: for comparing, where FNV-1a alone leaves likes alike. */
export function hashOf(text: string): number {
  let hash = fnv1a(text);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) >>> 0;
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** FNV-1a: small, fixed for good, and spreads short names evenly over 32 buckets. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return (hash ^ (hash >>> 16)) >>> 0;
}
