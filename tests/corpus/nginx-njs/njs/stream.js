function preread(s) {
    s.on('upload', (data) => {
        if (data.length) {
            s.done();
        }
    });
}

function upper(s) {
    s.on('download', (data, flags) => {
        s.send(data.toUpperCase(), flags);
    });
}

export default { preread, upper };
