<%@ page pageEncoding="UTF-8" %><%@ taglib prefix="t" tagdir="/WEB-INF/tags" %><t:page title="Shop"><h1>Shop</h1><a href="/hello?name=you">hello</a></t:page>
