import "./page.css";
import { element, fill } from "../dom/element.ts";

const page = document.getElementById("page");
if (page !== null) fill(page, element("h1", {}, "市民卡"));
