// ISO 4217: codes of the currencies people can pay with, and the digits of their minor units.
// Precious metals, bond units and test codes are left out.
import * as table from "dinero.js/bigint/currencies";

const CODES =
  "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN " +
  "BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP " +
  "ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR " +
  "ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA " +
  "MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK " +
  "PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC " +
  "SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND " +
  "VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

export const CURRENCIES: ReadonlySet<string> = new Set(CODES.split(" "));

/**
 * The ariary and the ouguiya are divided into fifths, but ISO 4217 gives them two digits, and
 * providers count in those.
 */
const DIGITS_OF_FIFTHS = 2;

const DIGITS: ReadonlyMap<string, number> = new Map(
  Object.values(table).map(({ code, base, exponent }) => [
    code,
    base === 10n ? Number(exponent) : DIGITS_OF_FIFTHS,
  ]),
);

/** Digits of the minor unit: 2 for most, 0 for yen, 3 for dinars. Throws for unknown codes. */
export function minorDigits(currency: string): number {
  const digits = DIGITS.get(currency);
  if (digits === undefined) throw new Error(`'${currency}' is not a currency of ISO 4217`);
  return digits;
}
