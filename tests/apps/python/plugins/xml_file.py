from xml.dom import minidom


def dump(wares):
    document = minidom.Document()
    root = document.appendChild(document.createElement("wares"))
    for ware in wares:
        root.appendChild(document.createElement(ware))
    return document.toxml()
