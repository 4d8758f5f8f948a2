"""Run in TensorFlow's own environment: a SavedModel or a Keras 2 file becomes ONNX.

``python saved_model_to_onnx.py SOURCE SHAPE TARGET.onnx ANSWERS.npz [--trust]``: SHAPE is the input
without the batch, in the author's order, as 24,16,1, and fills sizes that the model leaves open.
An image is taken channels first by the ONNX model. ANSWERS holds random inputs, as the ONNX model
takes them, and TensorFlow's outputs. Imports nothing of the package. What goes wrong is the last
line on stderr.
"""

import os
import sys

OPSET = 17

# Operators that touch files or run Python.
REFUSED = {
    "ReadFile",
    "WriteFile",
    "MatchingFiles",
    "PyFunc",
    "PyFuncStateless",
    "EagerPyFunc",
    "WholeFileReaderV2",
    "TextLineReaderV2",
    "TextLineDataset",
    "TFRecordDataset",
    "InitializeTableFromTextFileV2",
    "PrintV2",
    "XlaCustomCallV2",
}


def main(arguments):
    """Convert; anything raised becomes the last line on stderr."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", TF_USE_LEGACY_KERAS="1")
    trusted = "--trust" in arguments
    source, shape, target, answers = [a for a in arguments if a != "--trust"]
    import numpy as np
    import tensorflow as tf
    import tf2onnx

    wanted = tuple(int(size) for size in shape.split(","))
    if os.path.isdir(source):  # noqa: PTH112
        if not trusted:
            refuse_dangerous(source)
        function, spec = saved_model(tf, source)
    else:
        function, spec = keras_model(tf, source, trusted)
    open_shape = spec.shape.as_list()[1:]
    if len(open_shape) != len(wanted):
        raise ValueError(f"takes inputs of {len(open_shape)} axes, not {len(wanted)}")
    sizes = [w if s is None else s for s, w in zip(open_shape, wanted)]  # noqa: B905
    image = len(sizes) == 3
    concrete = tf.function(function)
    signature = [tf.TensorSpec([None, *sizes], tf.float32, name="x")]
    tf2onnx.convert.from_function(
        concrete,
        input_signature=signature,
        opset=OPSET,
        inputs_as_nchw=["x"] if image else None,
        output_path=target,
    )
    generator = np.random.default_rng(0)
    inputs = generator.standard_normal((3, 1, *sizes)).astype(np.float32)
    outputs = np.stack([function(tf.constant(x)).numpy() for x in inputs])
    if image:
        inputs = np.ascontiguousarray(inputs.transpose(0, 1, 4, 2, 3))
    np.savez(answers, inputs=inputs, outputs=outputs)


def refuse_dangerous(folder):
    """Look at every operator before anything of the model runs."""
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    with open(os.path.join(folder, "saved_model.pb"), "rb") as file:  # noqa: PTH118, PTH123
        model.ParseFromString(file.read())
    for graph in model.meta_graphs:
        nodes = list(graph.graph_def.node)
        for function in graph.graph_def.library.function:
            nodes.extend(function.node_def)
        for node in nodes:
            if node.op in REFUSED:
                raise ValueError(f"operator {node.op} reaches outside the model: refused")


def saved_model(tf, folder):
    """The serving signature as a function of one tensor, and its input."""
    model = tf.saved_model.load(folder)
    if "serving_default" not in model.signatures:
        raise ValueError("the SavedModel has no signature serving_default: save it with one")
    signature = model.signatures["serving_default"]
    inputs = signature.structured_input_signature[1]
    outputs = list(signature.structured_outputs)
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(
            f"{len(inputs)} inputs and {len(outputs)} outputs, where one each is wanted"
        )
    ((name, spec),) = inputs.items()

    def call(x):
        return signature(**{name: x})[outputs[0]]

    call.model = model  # keeps the variables alive
    return call, spec


def keras_model(tf, path, trusted):
    import tf_keras

    model = tf_keras.models.load_model(path, compile=False, safe_mode=not trusted)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError("one input and one output are wanted")
    spec = tf.TensorSpec(model.inputs[0].shape, tf.float32)
    return lambda x: model(x, training=False), spec


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Exception as failure:  # one line for the parent, whatever TensorFlow raises
        lines = [line.strip() for line in str(failure).splitlines() if line.strip()]
        sys.stderr.write(f"\n{lines[0] if lines else type(failure).__name__}\n")
        sys.exit(1)
