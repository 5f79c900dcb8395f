// VitePress's own look, with room for lines of code and the colours of the console.
import theme from "vitepress/theme";
import "./style.css";

export default theme;
