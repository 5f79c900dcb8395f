// The reader's thread, hanging on its first call.
import "./reader-thread.ts";
import { hangFirst } from "./hang-first.child.ts";

hangFirst();
