/** Which text every engine keeps: Unicode without U+0000 and lone surrogates. */

const SHORT_MAX = 40; // below this a loop is done before a built-in has been called

/** Looked at with every key and every text of every write, so short text has a path of its own. */
export function isStorableText(text: string): boolean {
  if (text.length > SHORT_MAX) return isStorable(text);
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit === 0) return false;
    if (unit >= 0xd800 && unit < 0xe000) return isStorable(text);
  }
  return true;
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}
